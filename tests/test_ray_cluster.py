"""The cluster that other tests use is one of several nodes, and nothing of it stays."""

import os
from pathlib import Path
from pkgutil import resolve_name

import pytest

from pipeline.network.worker import work
from tests.ray_cluster import processes, ray_cluster


@pytest.mark.slow(20)
def test_a_cluster_has_its_nodes_and_leaves_nothing_behind() -> None:
    with ray_cluster(2, cold=True) as cluster:
        import ray

        folder = Path(os.environ["RAY_TMPDIR"])
        ray.init(address=cluster.address, log_to_driver=False)
        assert sum(node["Alive"] for node in ray.nodes()) == 2
        assert ray.cluster_resources()["CPU"] == 2
        assert processes(folder)
        started_from_nothing = ray.remote(resolve_name).remote("pipeline.network.worker:work")
        assert ray.get(started_from_nothing) is work  # it has imported all with which it trains
    assert not processes(folder)
    assert not folder.exists()
