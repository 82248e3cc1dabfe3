"""Odd homes: each ends in a sentence, with an exit code that is not 0, and loses nothing."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from assets.__main__ import main
from assets.faults import broken_database, in_words
from assets.run_command import instance
from pipeline.config.dataset import Dataset
from tests.killed import killed_database

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], str]:
    """What `make run` says on standard error about a home in which it cannot work."""

    def make(home: Path) -> str:
        monkeypatch.setenv("PIPELINE_HOME", str(home))
        monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
        assert main(["run"]) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        return said

    return make


def test_a_home_that_is_a_file_or_lies_in_one_is_told(
    movies: Dataset, tmp_path: Path, run: Callable[[Path], str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert "is a file. Choose a folder" in run(tmp_path / "file")
    assert "a part of this path is a file" in run(tmp_path / "file" / "home")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["50% off", "what?", "#1"])
def test_a_home_whose_name_an_address_cannot_have_is_told(
    movies: Dataset, name: str, tmp_path: Path, run: Callable[[Path], str]
) -> None:
    assert "the address of a database cannot have" in run(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf"]


@pytest.mark.parametrize("name", ["data [new]", "b*", "]"])
def test_a_home_whose_name_is_a_pattern_is_told(
    movies: Dataset, name: str, tmp_path: Path, run: Callable[[Path], str]
) -> None:
    assert "for a pattern of paths. Choose another path." in run(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf"]


@pytest.mark.parametrize("database", ["mlflow.db", "dagster/history/runs.db", "dagster/schedules/schedules.db"])
def test_a_broken_database_is_told_and_stays(
    movies: Dataset, database: str, tmp_path: Path, run: Callable[[Path], str]
) -> None:
    path = tmp_path / "home" / database
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database, and yet it is here" * 100)
    assert f"{path}: the database is broken. Move it away" in run(tmp_path / "home")
    assert path.read_bytes().startswith(b"this is no database")


def test_the_half_change_of_a_killed_process_is_taken_back(tmp_path: Path) -> None:
    database = killed_database(tmp_path / "killed.db")
    assert broken_database(database) is None
    assert not (tmp_path / "killed.db-journal").exists()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM sales").fetchone() == (0,)


def test_several_that_open_a_fresh_home_at_once_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(_: int) -> int:
        with instance() as dagster:
            dagster.all_instigator_state()  # of the schedules
            return len(dagster.get_runs())

    for one in range(3):
        monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / f"home{one}"))
        with ThreadPoolExecutor(4) as pool:
            assert [*pool.map(opened, range(4))] == [0] * 4


@pytest.mark.parametrize("text", ["a: [", "storage: 5", "what: is this"])
def test_odd_settings_of_dagster_are_told(
    movies: Dataset, text: str, tmp_path: Path, fresh_database: Callable[[Path], str], run: Callable[[Path], str]
) -> None:
    fresh_database(tmp_path / "home")
    (tmp_path / "home" / "dagster" / "dagster.yaml").write_text(text)
    assert "dagster.yaml: Dagster cannot use these settings" in run(tmp_path / "home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte and a half."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_ends_in_a_sentence_and_the_next_run_goes_on(
    movies: Dataset,
    tmp_path: Path,
    small_disk: Path,
    fresh_database: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(small_disk))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    fresh_database(small_disk)
    assert main(["run"]) == 1
    said = capsys.readouterr().err
    assert "disk" in said.splitlines()[-1]
    assert "full" in said.splitlines()[-1]  # in whichever call the last byte is missing
    assert "Traceback" not in said
    subprocess.run(["mount", "-o", "remount,size=500m", str(small_disk)], check=True)
    assert main(["run"]) == 0
    assert capsys.readouterr().err == ""


def test_what_the_machine_says_is_told_in_words() -> None:
    assert in_words(PermissionError(13, "Permission denied", "/x")) == (
        "/x: may not be written or read. Change its permissions, or take another (for the home: PIPELINE_HOME)."
    )
    later = RuntimeError("something else")
    later.__cause__ = OSError(28, "No space left on device")
    assert "the disk is full" in (in_words(later) or "")
    assert in_words(ValueError("a defect")) is None
    assert "memory" in (in_words(MemoryError()) or "")
