"""A home that is moved, copied, or looked at on other ports: all that it says leads to what is in it."""

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
import yaml
from mlflow.tracking import MlflowClient

import pipeline
from assets import links
from assets.__main__ import main
from assets.addresses import Pages, note_servers
from assets.resources import mlflow_from_environment
from assets.run_command import instance
from pipeline.experiment import moved_home
from pipeline.experiment.client import artifact_of, client_of
from tests.conftest import MOVIES, genre_of

pytestmark = pytest.mark.slow(20)

PORT = re.compile(r"http://127\.0\.0\.1:(\d+)/")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, two_genres: pl.DataFrame) -> Path:
    """A folder with a home in which planted movies were learned, and with their conf."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "conf").mkdir()
    two_genres.write_csv(folder / "conf" / "films.csv")
    quick = {**MOVIES, "source": {"path": "films.csv"}, "training": {**MOVIES["training"], "max_epochs": 5}}
    (folder / "conf" / "films.yaml").write_text(yaml.safe_dump(quick, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIPELINE_HOME", str(folder / "home"))
        patch.setenv("PIPELINE_CONF", str(folder / "conf"))
        assert main(["run"]) == 0
    return folder


@pytest.fixture
def home(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the home, which is the home of this test; the original stays as it was."""
    before = read(original)
    shutil.copytree(original / "home", tmp_path / "copy of it", symlinks=True)
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "copy of it"))
    monkeypatch.setenv("PIPELINE_CONF", str(original / "conf"))
    yield tmp_path / "copy of it"
    assert read(original) == before


def read(folder: Path) -> dict[Path, bytes]:
    """The files of a home but Dagster's own, which this process has opened."""
    files = (path for path in folder.rglob("*") if path.is_file() and "dagster" not in path.parts)
    return {path: path.read_bytes() for path in files}


def require_that_all_is_in(home: Path) -> None:
    """Each file that MLflow knows is in this home, and the champion answers from it."""
    client = client_of(f"sqlite:///{home}/mlflow.db")
    root = (home / "artifacts").as_uri()
    experiments = client.search_experiments()
    runs = client.search_runs([one.experiment_id for one in experiments])
    versions = client.search_model_versions()
    addresses = [*(one.artifact_location for one in experiments), *(run.info.artifact_uri for run in runs)]
    assert {one.name for one in experiments} == {"Default", "films"}
    assert (len(runs), len(versions)) == (3, 1)
    assert all(one.startswith(f"{root}/") for one in [*addresses, *(one.source for one in versions)])
    for run in runs:
        assert artifact_of(client, run.info.run_id, "embedding.parquet").is_relative_to(home)
    found = pipeline.load("films").recommend(["war-00", "war-01", "war-02"], k=3).frame
    assert {genre_of(token) for token in found["token"]} == {"war"}


def test_a_copy_belongs_to_itself(
    home: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run"]) == 0
    out, err = capsys.readouterr()
    assert out.count(" is reused") == 3
    assert f"Everything is in {home}:" in out
    assert err == ""
    require_that_all_is_in(home)
    assert main(["champion", "films"]) == 0
    told = [record.getMessage() for record in caplog.records if record.name.startswith("pipeline.")]
    assert len(told) == 1
    assert told[0].endswith(f"is at {home} now: MLflow's addresses follow.")


@pytest.mark.parametrize("first", ["run", "champion films", "load"])
def test_a_home_that_was_moved_is_known_at_its_new_place(
    first: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["champion", "films"]) == 0
    new = home.parent / "elsewhere" / "ü"
    new.parent.mkdir()
    home.rename(new)
    monkeypatch.setenv("PIPELINE_HOME", str(new))
    if first == "load":
        pipeline.load("models:/films/1", mlflow=f"sqlite:///{new}/mlflow.db")
    else:
        assert main(first.split()) == 0
    require_that_all_is_in(new)
    assert not home.exists()


def test_of_several_that_find_it_at_once_one_changes_it(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(moved_home.follow, [home / "mlflow.db"] * 8)] == [None] * 8
    assert len(caplog.records) == 1
    require_that_all_is_in(home)


def test_files_that_are_elsewhere_on_purpose_stay_there(original: Path, tmp_path: Path) -> None:
    """In a database that homes share, each has its files in its own folder."""
    shutil.copy(original / "home" / "mlflow.db", tmp_path / "mlflow.db")
    pipeline.load("films", mlflow=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_experiment_by_name("films")
    assert experiment is not None
    assert experiment.artifact_location == (original / "home" / "artifacts" / "films").as_uri()


def test_links_follow_the_ports_of_the_pages(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ports(home) == {"DAGSTER_PORT": {"3000"}, "MLFLOW_PORT": {"5000"}}
    for number in ("31", "32"):
        monkeypatch.setenv("DAGSTER_PORT", f"{number}01")
        monkeypatch.setenv("MLFLOW_PORT", f"{number}02")
        links.follow(mlflow_from_environment(Pages.asked_for()))
        assert ports(home) == {"DAGSTER_PORT": {f"{number}01"}, "MLFLOW_PORT": {f"{number}02"}}


def ports(home: Path) -> dict[str, set[str]]:
    """The ports of all links to each of the pages that a person can meet."""
    with instance() as dagster:
        (run,) = dagster.get_runs()
        events = [entry.dagster_event for entry in dagster.all_logs(run.run_id) if entry.dagster_event]
        made = [event.step_materialization_data.materialization for event in events if event.is_step_materialization]
        latest = [dagster.get_latest_materialization_event(one.asset_key) for one in made]
    shown = [*made, *(event.asset_materialization for event in latest if event and event.asset_materialization)]
    texts = [str(value.value) for one in shown for value in one.metadata.values()]
    assert len(made) == len(latest) == 13
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiments = client.search_experiments(filter_string="name = 'films'")
    texts += [one.tags["mlflow.note.content"] for one in experiments]
    runs = client.search_runs([one.experiment_id for one in experiments])
    texts += [run.data.tags["mlflow.note.content"] for run in runs]
    reports = [*home.rglob("report.html")]
    assert len(reports) > 1
    found = " ".join([*texts, *(path.read_text() for path in reports)])
    return {
        "DAGSTER_PORT": {*re.findall(PORT.pattern + r"(?:assets|runs)/", found)},
        "MLFLOW_PORT": {*re.findall(PORT.pattern + "#/", found)},
    }


def test_a_run_links_to_the_pages_that_are_served(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "4002")
    note_servers({}, Pages(4101, 4102))
    assert Pages.served() == Pages(4101, 4102)
    noted = json.loads((home / "servers.json").read_text())
    for odd in ({"home": str(home.parent)}, {"by": re.sub(r" \d+ ", " 999999999 ", noted["by"])}):  # a copy, a death
        (home / "servers.json").write_text(json.dumps({**noted, **odd}))
        assert Pages.served() == Pages(3000, 4002)


def test_a_home_by_another_name_is_the_same_home(original: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(original / "home")
    before = (original / "home" / "mlflow.db").read_bytes()
    moved_home.follow(tmp_path / "link" / "mlflow.db")
    assert (original / "home" / "mlflow.db").read_bytes() == before
