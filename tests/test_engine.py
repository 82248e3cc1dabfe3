"""On a cluster the pipeline makes the same as in one process, also when the cluster loses a machine."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
import yaml
from dagster._core.definitions.job_base import IJob, InMemoryJob
from dagster._core.definitions.reconstruct import reconstructable
from dagster._core.executor.base import Executor
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.executor.step_delegating import StepDelegatingExecutor
from polars.testing import assert_frame_equal

from assets.executor import executor
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.inference import InferenceSettings
from pipeline.errors import PipelineError
from pipeline.evaluation.in_parts import evaluate
from pipeline.examples.divided_encoding import encode_pairs
from pipeline.examples.encoding import encode_records
from pipeline.inference.bulk import recommend_each
from pipeline.inference.file_scoring import score_file
from pipeline.records.ingest import ingest
from pipeline.records.pairs.divided_pairs import divided_pairs
from pipeline.records.records import Records
from pipeline.vocabulary.counted import count
from tests.conftest import HOMES, MOVIES
from tests.pipeline.inference.conftest import put_to_work  # noqa: F401
from tests.ray_cluster import ray_cluster

pytestmark = pytest.mark.slow(40)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two nodes, to which this process is connected."""
    with ray_cluster(2) as made:
        import ray

        ray.init(address=made.address, log_to_driver=False)
        yield made


@pytest.fixture
def in_files(tmp_path: Path) -> Callable[[Dataset], Records]:
    """Reads the records of a dataset into nine files, as those of much data are."""

    def read(conf: Dataset) -> Records:
        records = ingest(conf, tmp_path / "conf", tmp_path / f"{conf.name}-records")
        (whole,) = records.files
        frame = pl.read_parquet(whole)
        whole.unlink()
        for i, some in enumerate(frame.iter_slices(-(-frame.height // 9))):
            some.write_parquet(records.folder / f"records-{i:05d}.parquet")
        return records

    return read


def with_much_to_do(two_genres: pl.DataFrame) -> pl.DataFrame:
    """Movies that some rows name twice, weigh, leave without a title, and that a column or a day splits."""
    random = np.random.default_rng(1)
    n = two_genres.height
    again = pl.concat([two_genres, two_genres.sample(fraction=0.3, seed=2)], how="vertical").sample(
        fraction=1, shuffle=True, seed=3
    )
    whole = again.group_by("user").agg(movies=pl.col("movie").sort().str.join("|"))
    return (
        again.join(whole, on="user", maintain_order="left")
        .with_columns(
            title=pl.when(pl.Series(random.random(again.height) < 0.5)).then("title"),
            minutes=pl.Series(random.integers(1, 9, again.height)),
            part=pl.Series(random.choice(["train", "validation", "test"], again.height, p=[0.8, 0.1, 0.1])),
            family=pl.col("user").str.slice(-1),
            day=pl.date(2024, 1, 1) + pl.duration(days=pl.Series(random.integers(0, 60, again.height))),
        )
        .head(n)
    )


MANY = {
    "labels, weights, rare tokens that share a place": {
        "weight": "minutes",
        "vocabulary": {"min_count": 30, "unknown": "share"},
        "refit": True,
    },
    "tokens that a column splits, frequent ones left out": {
        "split": "part",
        "vocabulary": {"max_share": 0.3},
        "tokens": [{"kind": "value", "columns": ["movie", "title"]}],
    },
    "folds": {"split": {"folds": 4}},
    "groups of examples": {"split": {"group": "family"}},
    "groups of examples that are rows": {"example": None, "split": {"group": "user", "folds": 3}, "weight": None},
    "a moment divides tokens, which have weights": {"split": {"time": "day"}, "weight": "minutes"},
    "the last of each example": {"split": {"time": "day", "hold_out": "last"}, "weight": "minutes"},
    "the last of each list": {
        "example": None,
        "tokens": [{"kind": "items", "columns": "movies", "delimiter": "|"}],
        "split": {"hold_out": "last"},
    },
    "the latest examples": {"split": {"time": "day", "hold_out": "examples"}},
}


@pytest.mark.parametrize("settings", [*MANY.values(), HOMES], ids=[*MANY, "examples that are rows, and their numbers"])
def test_a_cluster_makes_the_same_bytes(
    cluster: Any,
    settings: dict[str, Any],
    write_conf: Callable[..., Path],
    in_files: Callable[[Dataset], Records],
    two_genres: pl.DataFrame,
    priced_words: pl.DataFrame,
) -> None:
    records = priced_words if settings is HOMES else with_much_to_do(two_genres)
    conf = load(write_conf("planted", settings if settings is HOMES else MOVIES | settings, records))
    raw, found = in_files(conf), []
    for engine in ("local", "ray"):
        asked = conf.model_copy(update={"engine": engine})
        counted = count(raw, asked)
        examples = encode_records(raw, counted, asked)
        found.append((counted.vocabulary.fingerprint, examples.fingerprint, dict(examples.about)))
    assert found[0] == found[1]


def test_an_unknown_token_that_conf_refuses_is_named(
    cluster: Any, movies: Dataset, in_files: Callable[[Dataset], Records]
) -> None:
    refused = movies.vocabulary.model_copy(update={"unknown": "refuse", "max_size": 5})
    conf = movies.model_copy(update={"engine": "ray", "vocabulary": refused})
    records = in_files(conf)
    with pytest.raises(PipelineError, match=r"vocabulary\.unknown: the token '(war|love)-\d\d' has no place"):
        encode_records(records, count(records, conf), conf)


@pytest.mark.parametrize("exact_up_to", [100, 10], ids=["exact", "by an index"])
def test_parts_are_evaluated_and_answered_as_the_whole_is(
    cluster: Any,
    movies: Dataset,
    two_genres: pl.DataFrame,
    put_to_work: Callable[..., Any],  # noqa: F811 (the fixture above)
    exact_up_to: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.evaluation.blocks.LEAST_ROWS", 4)  # 160 examples are as many as a cluster's
    monkeypatch.setattr("pipeline.evaluation.blocks.SCORING_BLOCK_BYTES", 0)
    monkeypatch.setattr("pipeline.inference.bulk.AT_ONCE", 50)
    settings = InferenceSettings(exact_up_to=exact_up_to, top=5)
    made = put_to_work(movies.model_copy(update={"inference": settings}), two_genres)
    two_genres.write_csv(tmp_path / "new.csv")
    log, found = logging.getLogger("test"), []
    for engine in ("local", "ray"):
        conf = made.conf.model_copy(update={"engine": engine})
        scores = evaluate(conf, made.model.fitted, made.examples.held_out("test"))
        each = recommend_each(made.model, made.examples, made.vocabulary, tmp_path / engine, log, engine)
        (tmp_path / f"{engine}-work").mkdir()
        answers, work = tmp_path / f"{engine}.parquet", tmp_path / f"{engine}-work"
        scored = score_file(made.model, str(tmp_path / "new.csv"), answers, work, log, engine)
        found.append((scores, each.frame.collect(), pl.read_parquet(scored.path)))
    assert made.model.uses_index == (exact_up_to == 10)
    for alone, together in zip(*found, strict=True):
        assert_frame_equal(alone, together)


def test_steps_are_jobs_on_the_cluster_that_dagster_yaml_names(cluster: Any, tmp_path: Path) -> None:
    config = {"ray": {"address": f"http://{cluster.head_node.webui_url}", "num_cpus": 2, "env_vars": ["PATH"]}}
    launcher = {"module": "dagster_ray", "class": "RayRunLauncher", "config": config}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": launcher, "telemetry": {"enabled": False}}))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        made = _executor(reconstructable(_a_job), instance)
        assert isinstance(made, StepDelegatingExecutor)
        assert (made._step_handler.name, made._step_handler.num_cpus) == ("RayStepHandler", 2)  # type: ignore[attr-defined]
        assert isinstance(_executor(InMemoryJob(_a_job()), instance), InProcessExecutor)  # of `embedding-pipeline run`


def test_elsewhere_steps_stay_in_the_process_of_their_run() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(_executor(reconstructable(_a_job), instance), InProcessExecutor)


def _a_job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None:
        pass

    @dg.job
    def job() -> None:
        nothing()

    return job


def _executor(job: IJob, instance: dg.DagsterInstance) -> Executor:
    create = executor.executor_creation_fn
    assert create is not None
    return create(dg.InitExecutorContext(job, executor, {"retries": {"enabled": {}}}, instance))


def test_what_a_lost_machine_had_is_made_again(
    cluster: Any, write_conf: Callable[..., Path], in_files: Callable[[Dataset], Records]
) -> None:
    """Of 300,000 pairs, since what is small stays with the process that started the tasks."""
    import ray
    from ray.experimental import get_object_locations
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    random = np.random.default_rng(0)
    frame = pl.DataFrame({"user": random.integers(3000, size=300_000), "movie": random.integers(900, size=300_000)})
    conf = load(write_conf("many", MOVIES | {"tokens": [{"kind": "value", "columns": "movie"}]}, frame))
    records = in_files(conf)
    counted = count(records, conf)

    class Keeper:
        """Keeps a CPU, so that the other machine does the work; of a test's module the workers know nothing."""

    on_head = NodeAffinitySchedulingStrategy(cluster.head_node.node_id, soft=False)
    keeper = ray.remote(num_cpus=1)(Keeper).options(scheduling_strategy=on_head).remote()
    ray.get(keeper.__ray_ready__.remote())
    pairs = divided_pairs(records, conf)
    ray.wait(pairs.chunks, num_returns=len(pairs.chunks))
    ray.kill(keeper)
    (lost,) = cluster.worker_nodes
    assert any(lost.node_id in place["node_ids"] for place in get_object_locations(pairs.chunks).values())
    cluster.remove_node(lost, allow_graceful=False)
    examples = encode_pairs(pairs, records, counted.vocabulary, conf)
    assert examples.fingerprint == encode_records(records, counted, conf).fingerprint
