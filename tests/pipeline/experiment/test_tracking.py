import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Barrier

import pytest
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH

from pipeline.errors import PipelineError
from pipeline.experiment.client import prepare
from pipeline.experiment.tracking import CURRENT, Tracker, cure
from tests.conftest import wait_until

PREPARE = "import sys; from pipeline.experiment.client import prepare; prepare(sys.argv[1])"


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory, fresh_database: Callable[[Path], str]) -> str:
    """A real SQLite database of MLflow's."""
    return fresh_database(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def tracker(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Tracker:
    """An experiment of its own for each test."""
    return Tracker(database, tmp_path / "artifacts", request.node.name, "what it is")


def status(tracker: Tracker) -> list[str]:
    runs = tracker.client.search_runs([tracker.experiment_id], order_by=["attributes.start_time ASC"])
    return [run.info.status for run in runs]


def test_a_run_that_ends_well_is_finished_with_all_that_was_logged(tracker: Tracker, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "embedding.parquet").write_text("x")
    params = {f"setting_{i}": str(i) for i in range(150)}
    with tracker.run("embedding D=2", {"fit_key": "k"}, params) as run:
        run.log_metrics({"train_loss": 2.0}, epoch=1)
        run.log_metrics({"train_loss": 1.0}, epoch=2)
        run.log_folder(tmp_path / "files")
    logged = tracker.client.get_run(run.run_id)
    history = tracker.client.get_metric_history(run.run_id, "train_loss")
    assert logged.info.status == "FINISHED"
    assert logged.info.run_name == "embedding D=2"
    assert logged.data.params == params
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.0), (2, 1.0)]
    assert (tracker.folder(run.run_id) / "embedding.parquet").read_text() == "x"


def test_where_the_files_of_a_run_are_is_asked_once(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    for name in ("a", "b"):
        (tmp_path / "files" / name).write_text(name)
    with tracker.run("r", {}, {}) as run:
        run.log_folder(tmp_path / "files")
    asked: list[str] = []
    get = tracker.client.get_run
    monkeypatch.setattr(tracker.client, "get_run", lambda run_id: asked.append(run_id) or get(run_id))
    assert [tracker.file(run.run_id, name).read_text() for name in ("a", "b", "a")] == ["a", "b", "a"]
    assert asked == [run.run_id]


def test_what_was_learned_from_stands_in_the_lineage_of_datasets(tracker: Tracker) -> None:
    with tracker.run("r", {}, {}) as run:
        run.log_input("movies", "0123456789abcdef", "ratings.csv", {"examples": 3})
    (used,) = tracker.client.get_run(run.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("movies", "0123456789abcdef")
    assert "ratings.csv" in used.dataset.source
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}


def test_what_the_machine_does_is_noted_and_is_no_metric_of_the_fit(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.experiment.tracking.SYSTEM_SECONDS", 0.2)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "embedding.parquet").write_text("x")
    with tracker.run("r", {"fit_key": "k"}, {}) as run:
        wait_until(lambda: "system/system_memory_usage_megabytes" in tracker.client.get_run(run.run_id).data.metrics)
        run.log_metrics({"fit_seconds": 1.0})
        run.log_folder(tmp_path / "files")
    noted = tracker.client.get_run(run.run_id).data.metrics
    assert noted["system/system_memory_usage_megabytes"] > 0
    found = tracker.finished("k")
    assert found is not None
    assert found.metrics == {"fit_seconds": 1.0}


def test_a_changed_description_is_shown_below_the_answer(tracker: Tracker, tmp_path: Path) -> None:
    name = tracker.client.get_experiment(tracker.experiment_id).name
    again = Tracker(tracker.uri, tmp_path / "artifacts", name, "what it is now")
    assert again.experiment_id == tracker.experiment_id

    def note() -> str:
        return str(tracker.client.get_experiment(tracker.experiment_id).tags["mlflow.note.content"])

    assert note() == "what it is now"
    again.tell("Take D=8.")
    assert note() == "Take D=8.\n\nwhat it is now"
    again.tell("Take D=2.")
    assert note() == "Take D=2.\n\nwhat it is now"
    Tracker(tracker.uri, tmp_path / "artifacts", name, "what it is then")
    assert note() == "Take D=2.\n\nwhat it is then"
    again.tell("Take D=2. It beats PCA. So it does.")
    assert note() == "Take D=2.\n\nIt beats PCA. So it does.\n\nwhat it is then"  # the first line is seen at once
    again.tell("Take D=8.")
    assert note() == "Take D=8.\n\nwhat it is then"


def test_a_run_that_raises_is_failed_and_says_why(tracker: Tracker) -> None:
    with pytest.raises(ZeroDivisionError), tracker.run("r", {}, {}) as run:
        _ = 1 / 0
    logged = tracker.client.get_run(run.run_id)
    assert (logged.info.status, logged.data.tags["error"]) == ("FAILED", "ZeroDivisionError: division by zero")


def test_the_losses_of_a_run_that_fails_are_kept(tracker: Tracker) -> None:
    def fails() -> None:
        with tracker.run("r", {}, {}) as run:
            run.log_metrics({"train_loss": 0.5}, epoch=1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    (logged,) = tracker.client.search_runs([tracker.experiment_id])
    assert (logged.info.status, logged.data.metrics) == ("FAILED", {"train_loss": 0.5})


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_run_that_is_interrupted_is_killed(tracker: Tracker, interruption: type[BaseException]) -> None:
    with pytest.raises(interruption), tracker.run("r", {}, {}):
        raise interruption
    assert status(tracker) == ["KILLED"]


def test_only_a_finished_run_with_its_embedding_is_found_again(tracker: Tracker, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "embedding.parquet").write_text("x")

    def fails() -> None:
        with tracker.run("failed", {"fit_key": "k"}, {}) as run:
            run.log_folder(files)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with tracker.run("without", {"fit_key": "k"}, {}):
        pass
    assert tracker.finished("k") is None
    with tracker.run("whole", {"fit_key": "k"}, {}) as run:
        run.log_metrics({"fit_seconds": 1.0})
        run.log_folder(files)
    found = tracker.finished("k")
    assert found is not None
    assert (found.run_id, found.metrics) == (run.run_id, {"fit_seconds": 1.0})
    assert tracker.finished("another") is None


def test_a_run_that_lost_its_process_is_closed_and_a_living_one_is_not(
    tracker: Tracker, database: str, tmp_path: Path
) -> None:
    """A process dies in the middle of a run, as by `kill -9`, and so nothing closes its run."""
    dies = (
        "import os, sys; from pathlib import Path; from pipeline.experiment.tracking import Tracker\n"
        "tracker = Tracker(sys.argv[1], Path(sys.argv[2]), sys.argv[3])\n"
        "with tracker.run('lost', {}, {}): os.kill(os.getpid(), 9)"
    )
    experiment = tracker.client.get_experiment(tracker.experiment_id).name
    subprocess.run([sys.executable, "-c", dies, database, str(tmp_path), experiment], check=False)
    with tracker.run("alive", {}, {}):
        assert status(tracker) == ["RUNNING", "RUNNING"]
        assert len(tracker.close_orphans(lambda dagster_run: True)) == 1
        assert status(tracker) == ["KILLED", "RUNNING"]


def test_a_run_whose_dagster_run_is_over_is_closed_wherever_its_process_was(tracker: Tracker) -> None:
    client = tracker.client
    tags = {"process": "another-machine 1 2", "dagster.run_id": "over"}
    client.create_run(tracker.experiment_id, tags=tags)
    client.create_run(tracker.experiment_id, tags={**tags, "dagster.run_id": "goes on"})
    tracker.close_orphans(lambda dagster_run: dagster_run == "over")
    assert sorted(status(tracker)) == ["KILLED", "RUNNING"]


def test_a_deleted_experiment_is_told_with_the_cure(database: str, tmp_path: Path) -> None:
    first = Tracker(database, tmp_path, "deleted")
    MlflowClient(database).delete_experiment(first.experiment_id)
    for lifecycle in ("active", "gone"):
        with pytest.raises(PipelineError, match=r"was deleted\. Bring it back with `MLFLOW_TRACKING_URI=") as told:
            Tracker(database, tmp_path, "deleted")
        restore, remove = re.findall("`(.*?)`", str(told.value))
        command = restore if lifecycle == "active" else remove
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
        found = MlflowClient(database).get_experiment_by_name("deleted")
        assert (found.lifecycle_stage if found else "gone") == lifecycle
        if found:
            MlflowClient(database).delete_experiment(first.experiment_id)
    Tracker(database, tmp_path, "deleted")  # one that begins anew


def test_the_cure_of_a_deleted_experiment_tells_no_password() -> None:
    said = cure("postgresql://me:pass@host/runs", "3")
    assert "MLFLOW_TRACKING_URI='postgresql://me:***@host/runs' " in said
    assert said.endswith("gc --experiment-ids 3`, with your password for ***.")
    assert "gc" not in cure("https://host", "3")


def test_of_several_that_finish_at_once_one_counts(tracker: Tracker) -> None:
    """Each waits for the others before it marks its run."""
    ids = []
    for _ in range(4):
        with tracker.run("pca D=2", {}, {}) as run:
            ids.append(run.run_id)
    together = Barrier(len(ids))

    def mark(run_id: str) -> None:
        together.wait()
        tracker.mark_current(run_id, "pca D=2")

    with ThreadPoolExecutor(len(ids)) as pool:
        list(pool.map(mark, ids))
    assert [tracker.tag(one, CURRENT) for one in ids].count("yes") == 1


def tables(folder: Path) -> int:
    """How many tables there are in the database that is made in a folder."""
    found = 0
    for path in folder.glob("*fresh.db*"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            found += connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    return found


def test_a_database_that_a_killed_process_has_made_by_half_is_made_anew(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/fresh.db"
    with subprocess.Popen([sys.executable, "-c", PREPARE, uri]) as process:
        while tables(tmp_path) < 30:
            assert process.poll() is None
        process.kill()
    prepare(uri)
    assert Tracker(uri, tmp_path, "one").current() == {}
    assert sorted(path.name for path in tmp_path.glob("*fresh.db*")) == ["fresh.db", "fresh.db.lock"]


def test_a_database_that_an_earlier_version_has_made_by_half_is_told(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "half.db")) as connection:
        connection.execute("CREATE TABLE assessments (n)")
    with pytest.raises(PipelineError, match=r"half\.db: an earlier version was killed .* Move it away"):
        Tracker(f"sqlite:///{tmp_path}/half.db", tmp_path, "one")


def test_two_processes_can_meet_a_fresh_database(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/fresh.db"
    both = [subprocess.Popen([sys.executable, "-c", PREPARE, uri], stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said


def test_of_a_very_long_setting_the_beginning_is_kept(tracker: Tracker) -> None:
    columns = ", ".join(f"column{i}" for i in range(1000))
    with tracker.run("embedding D=2", {}, {"tokens": columns, "longest": columns[:MAX_PARAM_VAL_LENGTH]}) as run:
        pass
    kept = tracker.client.get_run(run.run_id).data.params
    assert kept == {"tokens": f"{columns[: MAX_PARAM_VAL_LENGTH - 1]}…", "longest": columns[:MAX_PARAM_VAL_LENGTH]}
