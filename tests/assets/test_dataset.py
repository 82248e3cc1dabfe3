import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml
from mlflow.tracking import MlflowClient

from assets import checks
from assets.automation import ALL
from assets.definitions import definitions
from assets.storage import FolderIOManager
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Embedding
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fits
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import MOVIES

pytestmark = pytest.mark.slow(30)

CHAIN = [
    "raw_records",
    "vocabulary",
    "sparse_examples",
    "embedding",
    "pca",
    "other_baselines",
    "stability",
    "comparison",
    "pages",
    "report",
    "exports",
    "champion",
]


def chain(conf: Dataset) -> list[str]:
    """The assets of a dataset: where tokens are predicted, the champion recommends some."""
    return [*CHAIN, "recommendations"] if conf.task.predicts_tokens else CHAIN


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_database: Callable[[Path], str]) -> Path:
    """A home in which nothing is materialised yet."""
    fresh_database(tmp_path / "home")
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    return tmp_path / "home"


@dataclass(frozen=True)
class Made:
    """A home in which the planted movies were materialised."""

    home: Path
    conf: Dataset
    instance: dg.DagsterInstance


@pytest.fixture(scope="module")
def once(
    tmp_path_factory: pytest.TempPathFactory, two_genres: pl.DataFrame, fresh_database: Callable[[Path], str]
) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("once")
    (folder / "conf").mkdir()
    two_genres.write_csv(folder / "conf" / "planted_movies.csv")
    settings = {**MOVIES, "source": {"path": "planted_movies.csv"}}
    (folder / "conf" / "planted_movies.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    fresh_database(folder / "home")
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("PIPELINE_HOME", str(folder / "home"))
        patch.setenv("PIPELINE_CONF", str(folder / "conf"))
        conf = load(folder / "conf" / "planted_movies.yaml")
        assert run(conf, instance).success
        yield Made(folder / "home", conf, instance)


@pytest.fixture
def made(once: Made, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A home that several tests share: each test leaves it in a state that the others can use."""
    monkeypatch.setenv("PIPELINE_HOME", str(once.home))
    monkeypatch.setenv("PIPELINE_CONF", str(once.home.parent / "conf"))
    return once


def run(conf: Dataset, instance: dg.DagsterInstance, **options: Any) -> dg.ExecuteInProcessResult:
    job = definitions([conf]).resolve_job_def(conf.name)
    return job.execute_in_process(instance=instance, raise_on_error=False, **options)


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def value(home: Path, conf: Dataset, name: str) -> Path:
    return FolderIOManager(root=str(home / "data")).folder(dg.AssetKey([conf.name, name]))


@pytest.mark.parametrize("name", ["movies", "homes"])
def test_a_conf_file_becomes_one_group_with_all_that_a_newcomer_reads(
    name: str, request: pytest.FixtureRequest
) -> None:
    conf = request.getfixturevalue(name)
    defs = definitions([conf])
    specs = {spec.key.path[-1]: spec for spec in defs.resolve_all_asset_specs()}
    assert set(specs) == set(chain(conf))
    for spec in specs.values():
        assert spec.group_name == conf.name
        assert spec.description
        assert spec.kinds
        assert spec.code_version
        assert not spec.owners
    assert {dep.asset_key.path[-1] for dep in specs["comparison"].deps} == {"stability", "other_baselines"}


def test_a_changed_setting_makes_stale_what_it_concerns_and_nothing_else(movies: Dataset) -> None:
    def versions(conf: Dataset) -> dict[str, str | None]:
        return {spec.key.path[-1]: spec.code_version for spec in definitions([conf]).resolve_all_asset_specs()}

    before = versions(movies)
    after = versions(movies.model_copy(update={"dimensions": (3,)}))
    stale = {"embedding", "pca", "other_baselines", "stability", "comparison", "report", "champion"}
    assert {name for name in CHAIN if before[name] != after[name]} == stale
    for judged in ({"seeds": 2}, {"precision": 32}):
        after = versions(movies.model_copy(update=judged))
        assert {name for name in CHAIN if before[name] != after[name]} == stale
    after = versions(movies.model_copy(update={"replicas": 4}))
    assert {name for name in CHAIN if before[name] != after[name]} == {"stability"}
    after = versions(movies.model_copy(update={"refresh": movies.refresh.model_copy(update={"times": 3})}))
    assert {name for name in CHAIN if before[name] != after[name]} == {"embedding"}
    after = versions(movies.model_copy(update={"weight": "stars"}))
    assert {name for name in CHAIN if before[name] != after[name]} == {"raw_records", "sparse_examples", "champion"}
    after = versions(movies.model_copy(update={"vocabulary": movies.vocabulary.model_copy(update={"keep": False})}))
    stale = {"vocabulary", "sparse_examples", "pages", "exports"}
    assert {name for name in CHAIN if before[name] != after[name]} == stale


@pytest.mark.parametrize("name", ["movies", "homes"])
def test_a_group_materialises_end_to_end(
    name: str, request: pytest.FixtureRequest, home: Path, instance: dg.DagsterInstance
) -> None:
    conf: Dataset = request.getfixturevalue(name)
    result = run(conf, instance)
    assert result.success

    vocabulary = Vocabulary.load(value(home, conf, "vocabulary"))
    examples = SparseExamples.load(value(home, conf, "sparse_examples"))
    assert examples.about["vocabulary"] == vocabulary.fingerprint
    comparison = Comparison.load(value(home, conf, "comparison")).frame
    assert comparison["method"].to_list() == [*(baseline.kind for baseline in conf.baselines[1:]), "embedding", "pca"]

    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string=f"name = '{conf.name}'")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == set(comparison["run_id"])
    for mlflow_run in runs:
        assert mlflow_run.info.status == "FINISHED"
        assert mlflow_run.data.tags["dagster.run_id"] == result.run_id
        artifacts = Path(client.download_artifacts(mlflow_run.info.run_id, ""))
        embedding = Embedding.load(artifacts / "embedding.parquet")
        assert embedding.vocabulary.fingerprint == vocabulary.fingerprint

    for asset in chain(conf):
        (event,) = result.asset_materializations_for_node(f"{conf.name}__{asset}")
        assert 1 < len([name for name in event.metadata if not name.startswith("dagster/")]) <= 10
        drawn = [one for one in event.metadata.values() if isinstance(one, dg.IntMetadataValue | dg.FloatMetadataValue)]
        assert len(drawn) <= 1  # Dagster draws the history of each
        if asset != "raw_records":  # the trail goes back to the records, whose version is their checksum
            assert f"[raw_records](/assets/{conf.name}/raw_records)" in event.metadata["made from"].value
            assert len(event.metadata["made from"].value) < 1000  # longer text hides behind a click
    evaluations = result.get_asset_check_evaluations()
    assert {(made.asset_key.path[-1], made.check_name) for made in evaluations if not made.passed} <= {
        ("comparison", "learned_beats_pca"),  # these two data sets are so easy that PCA may do as well
    }
    assert len(evaluations) == sum(len(checks.specs(conf, asset)) for asset in chain(conf)) == 15
    page = result.asset_materializations_for_node(f"{conf.name}__comparison")[0].metadata
    assert len(page["table"].value) < 1000
    assert "- embedding D=2 against pca D=2: better " in page["verdicts"].value
    assert page["answer"].value.startswith("D=2 is the only one that was tried. The learned embedding beats PCA")
    assert page["in the home"].value.startswith(f"data/{conf.name}/comparison: ")
    (n_examples,) = re.findall(r"\| examples \| (\d+) \|", page["facts"].value)
    assert f"Measured on the {n_examples} test examples" in page["what it means"].value
    (of_embedding,) = result.asset_materializations_for_node(f"{conf.name}__embedding")
    for name, number in Fits.load(value(home, conf, "embedding")).fits[0].metrics.items():
        (cell,) = re.findall(rf"^\| {name} \| (\S+) \|$", of_embedding.metadata["all metrics"].value, re.MULTILINE)
        assert float(cell.replace(",", "")) == pytest.approx(number, rel=1e-3)
    assert "/#/compare-runs?runs=" in page["compare in MLflow"].value


def test_decoding_gives_the_records_back(made: Made, two_genres: pl.DataFrame) -> None:
    vocabulary = Vocabulary.load(value(made.home, made.conf, "vocabulary"))
    decoded = SparseExamples.load(value(made.home, made.conf, "sparse_examples")).decode(vocabulary)
    pairs = decoded.explode("tokens").select(user="example", movie="tokens")
    assert pairs.sort("user", "movie").equals(two_genres.select("user", "movie").sort("user", "movie"))


def test_a_second_time_nothing_is_fitted_unless_forced(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    run(made.conf, made.instance)
    assert Comparison.load(value(made.home, made.conf, "comparison")).frame["reused"].all()
    monkeypatch.setenv("FORCE", "1")
    run(made.conf, made.instance)
    assert not Comparison.load(value(made.home, made.conf, "comparison")).frame["reused"].any()


def test_launchpad_config_forces_too(made: Made) -> None:
    ops = {f"{made.conf.name}__pca": {"config": {"force": True}}}
    assert run(made.conf, made.instance, run_config={"ops": ops}).success
    frame = Comparison.load(value(made.home, made.conf, "comparison")).frame
    assert dict(frame.select("method", "reused").iter_rows()) == {"popularity": True, "embedding": True, "pca": False}


def test_bad_input_is_told_and_leaves_the_earlier_results(made: Made, write_conf: Callable[..., Path]) -> None:
    data = made.home / "data"

    def read() -> dict[Path, bytes]:
        """All that people see; what failed runs have made so far is in a hidden folder."""
        files = (path for path in data.rglob("*") if path.is_file() and ".runs" not in path.parts)
        return {path: path.read_bytes() for path in files}

    before = read()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"source": {"path": "gone.csv"}}, "gone.csv: there is no such file"),
        ({"example": "usr"}, "example: there is no column 'usr' in planted_movies.csv, did you mean 'user'"),
        ({"dimensions": [2, 400]}, "D=400 is larger than the data allows"),
        ({"vocabulary": {"min_count": 10_000}}, "Lower `vocabulary.min_count`"),
        ({"tokens": [{"kind": "items", "columns": "movie"}]}, "does `tokens` lack a `delimiter`"),
    ]
    settings = {
        "description": "Planted: two genres.",
        "source": {"path": "planted_movies.csv"},
        "example": "user",
        "tokens": [{"kind": "value", "columns": "movie", "label": "title"}],
        "split": {"validation": 0.2, "test": 0.2},
        "task": {"kind": "missing_tokens"},
        "dimensions": [2],
        "baselines": [{"kind": "pca", "dimensions": 2}],
    }
    for change, sentence in cases:
        result = run(load(write_conf("planted_movies", {**settings, **change})), made.instance)
        assert not result.success
        assert sentence in failure(result)
        assert read() == before


def test_an_asset_without_its_input_says_what_to_do(movies: Dataset, home: Path, instance: dg.DagsterInstance) -> None:
    job = definitions([movies]).resolve_job_def(movies.name)
    selection = [dg.AssetKey([movies.name, "vocabulary"])]
    result = job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=selection)
    assert "planted_movies/raw_records was never materialised in this home" in failure(result)


def test_there_is_a_job_for_each_dataset_and_one_for_all(movies: Dataset, homes: Dataset) -> None:
    defs = definitions([movies, homes])
    assert len(list(defs.resolve_job_def(movies.name).asset_layer.executable_asset_keys)) == len(chain(movies))
    both = len(chain(movies)) + len(chain(homes))
    assert len(list(defs.resolve_job_def(ALL).asset_layer.executable_asset_keys)) == both
