"""The chain in a Dagster project of somebody's own."""

import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml
from dagster.components import load_from_defs_folder

from assets.component import EmbeddingDataset, embedding_assets
from pipeline.config.dataset import Dataset
from pipeline.experiment.comparison import Comparison
from tests.conftest import MOVIES

LOANS = """
import dagster as dg, polars as pl
@dg.asset
def loans() -> pl.DataFrame:
    return pl.read_csv({path!r})
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_database: Callable[[Path], str]) -> Path:
    fresh_database(tmp_path / "home")
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_component_learns_from_an_asset_of_the_project(
    home: Path, two_genres: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defs = tmp_path / "shop" / "defs"
    (defs / "my-films").mkdir(parents=True)
    project = {"tool": '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop"\n'}
    (tmp_path / "pyproject.toml").write_text(project["tool"])
    for folder in (defs.parent, defs):
        (folder / "__init__.py").touch()
    two_genres.write_csv(tmp_path / "loans.csv")
    (defs / "loans.py").write_text(LOANS.format(path=str(tmp_path / "loans.csv")))
    attributes = {**MOVIES, "source": {"asset": "loans"}, "training": {**MOVIES["training"], "max_epochs": 2}}
    written = {"type": "assets.component.EmbeddingDataset", "attributes": attributes}
    (defs / "my-films" / "defs.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        monkeypatch.delitem(sys.modules, name)

    job = load_from_defs_folder(path_within_project=defs).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    frame = Comparison.load(home / "data" / "my_films" / "comparison").frame
    assert {"embedding", "pca", "popularity"} == set(frame["method"])


def test_an_asset_takes_the_place_of_the_source_and_lives_beside_others(
    movies: Dataset, homes: Dataset, tmp_path: Path, home: Path
) -> None:
    @dg.asset(key_prefix="shop")
    def loans() -> int:
        return 5

    conf = tmp_path / "conf"
    own = dg.Definitions([loans], resources={"mlflow": 5, "io_manager": dg.mem_io_manager})
    defs = dg.Definitions.merge(
        embedding_assets(conf / "planted_movies.yaml", records=["shop", "loans"]),
        embedding_assets(conf / "planted_homes.yaml"),
        own,
    )
    graph = defs.resolve_asset_graph()
    raw = graph.get(dg.AssetKey([movies.name, "raw_records"]))
    assert raw.parent_keys == {dg.AssetKey(["shop", "loans"])}
    dg.Definitions.validate_loadable(defs)
    selected = [dg.AssetKey(["shop", "loans"]), raw.key]
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, asset_selection=selected, raise_on_error=False)
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "shop/loans: gives a int" in str(failed.step_failure_data.user_failure_data)


def test_editors_know_the_attributes() -> None:
    schema = EmbeddingDataset.get_model_cls().model_json_schema()
    assert {"name", "source", "tokens", "task"} < set(schema["properties"])
    assert set(schema["required"]) == {"description", "source", "tokens", "task"}
    assert EmbeddingDataset.get_spec().produces
