"""A real cluster of Ray: several nodes on this machine, each a set of processes of its own."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from docs.tour import free_port
from tests.ray_forks import forks

MEMORY = 100 * 2**20
"""Bytes that a node keeps objects in."""
ATTEMPTS = 3
"""Times that it is tried to start a cluster."""
PATIENCE = 60
"""Seconds until a process of the cluster must have ended by itself."""


@contextmanager
def ray_cluster(nodes: int, cpus: int = 1, *, cold: bool = False) -> Iterator[Any]:
    """A cluster with an `address`, and `add_node` and `remove_node`; no process of it outlives the context.

    Skips the test where Ray is not installed.

    Args:
        nodes: how many.
        cpus: that each node says it has.
        cold: start each of its workers from nothing, as Ray itself does; otherwise it is forked: see `ray_forks`.
    """
    pytest.importorskip("ray", reason="Ray is not installed (make ray)")
    import ray

    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # a socket's path has at most 107 characters
    options = {"num_cpus": cpus, "object_store_memory": MEMORY}
    (folder / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as beside:
        patch.setenv("RAY_TMPDIR", str(folder))  # Ray's files, also the one that names the cluster started last
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # or the other tests would go first
        patch.setenv("RAY_health_check_period_ms", "300")  # a machine that is gone is missed soon
        cluster = _started(options, nodes, folder, cold, beside)
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            beside.close()
            end(folder, PATIENCE)
            shutil.rmtree(folder, ignore_errors=True)


def _started(options: dict[str, Any], nodes: int, folder: Path, cold: bool, beside: ExitStack) -> Any:
    """A running cluster. Ray gives a node half a minute: where other work keeps the cores, it is tried again."""
    from ray.cluster_utils import Cluster

    for attempt in range(ATTEMPTS):
        cluster = Cluster()
        if not cold:
            options["setup_worker_path"] = beside.enter_context(forks(folder))
        try:
            for node in range(nodes):
                page = {} if node else {"include_dashboard": True, "dashboard_port": free_port()}
                cluster.add_node(**options, **page)
            cluster.wait_for_nodes()
            return cluster
        except Exception:
            with suppress(Exception):
                cluster.shutdown()
            beside.close()
            end(folder, seconds=0)
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError


def processes(folder: Path) -> list[psutil.Process]:
    """The processes of the cluster whose files are in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            is_worker = bool(words) and words[0].startswith("ray::")  # it names no files, but was told of them
            if any(str(folder) in word for word in words) or (
                is_worker and process.environ().get("RAY_TMPDIR") == str(folder)
            ):
                found.append(process)
    return found


def end(folder: Path, seconds: float) -> None:
    """Wait until a cluster's processes have ended, and kill those that have not by then."""
    until = time.monotonic() + seconds
    while left := processes(folder):
        if time.monotonic() > until:
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=5)
            return
        time.sleep(0.1)
