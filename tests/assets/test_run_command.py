"""The command line as a user runs it: real processes, a real home."""

import logging
import os
import re
import resource
import shlex
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml
from sqlalchemy import NullPool, create_engine

from assets import proposing
from assets import run_command as module
from assets.__main__ import main
from assets.in_process import execute
from assets.resources import lines
from assets.run_command import instance, listen_to_what_matters
from assets.storage import LOST
from docs.tour import free_port
from pipeline.config.dataset import Dataset
from pipeline.proposal.conf_file import proposed
from tests.conftest import PATIENCE, learns, statuses, wait_until, with_training
from tests.forked import Process

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow(90)


@pytest.fixture
def command(tmp_path: Path, fresh_database: Callable[[Path], str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `python -m assets ...` on the planted datasets of this test; no process outlives the test."""
    fresh_database(tmp_path / "home")  # `make run` in test_readme shows how an empty home gets one
    started = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "assets", *arguments],
            cwd=PROJECT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "PIPELINE_HOME": str(tmp_path / "home"),
                "PIPELINE_CONF": str(tmp_path / "conf"),
                **environment,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.communicate()


@pytest.fixture
def run(
    started: Callable[..., Process], tmp_path: Path, fresh_database: Callable[[Path], str]
) -> Callable[..., Process]:
    """Start `run` on the planted datasets of this test."""
    fresh_database(tmp_path / "home")
    return partial(started, "run", PIPELINE_HOME=str(tmp_path / "home"), PIPELINE_CONF=str(tmp_path / "conf"))


def test_run_does_one_dataset_or_all_and_ends_with_a_table_for_each(
    movies: Dataset, homes: Dataset, tmp_path: Path, run: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "broken.yaml").write_text("seed: [")
    process = run("planted_movies")  # does not even read the other confs
    assert (process.wait(PATIENCE), process.err) == (0, "")
    assert "\nplanted_movies  " in process.out
    assert [path.name for path in (tmp_path / "home" / "data").iterdir()] == ["planted_movies"]

    (tmp_path / "conf" / "broken.yaml").unlink()
    process = run()
    assert (process.wait(PATIENCE), process.err) == (0, "")
    out = process.out
    assert out.count("planted_movies: ") > out.count(" is reused") == 3
    tables = out[out.index("\nplanted_homes  ") :]
    for line in ("planted_movies", "embedding D=2", "pca D=2", "popularity", "mean"):
        assert re.search(rf"^{line} ", tables, re.MULTILINE)
    assert "make dev" in tables.splitlines()[-1]

    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    (code,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    with instance() as dagster:
        for job in ("planted_movies", "all_datasets"):  # as the page of a job asks for its runs
            tags = {".dagster/repository": f"__repository__@{code['python_module']}"}
            (found,) = dagster.get_runs(dg.RunsFilter(job_name=job, tags=tags))
            assert found.is_success
            assert found.remote_job_origin is not None  # the timeline shows no run without one


def test_a_mistake_ends_in_one_sentence(
    movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    assert main(["run", "planted_movie"]) == 1
    assert "did you mean 'planted_movies'?" in capsys.readouterr().err
    (tmp_path / "conf" / "broken.yaml").write_text("seed: [")
    assert main(["run"]) == 1
    assert re.fullmatch(r"error: .*broken.yaml:\d: not valid YAML: .*\n", capsys.readouterr().err)


def test_an_answer_of_which_only_the_start_is_read_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "loans.csv").write_text("reader,book\n" + "".join(f"r{i % 30},b{i % 7}\n" for i in range(300)))
    environment = {**os.environ, "PIPELINE_HOME": str(tmp_path / "home"), "PIPELINE_CONF": str(tmp_path)}
    command = [sys.executable, "-m", "assets", "new", "books", str(tmp_path / "loans.csv")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as new:
        assert new.stdout is not None
        new.stdout.close()
        assert new.stderr is not None
        said = new.stderr.read()
    assert (new.returncode, said) == (0, "")
    assert (tmp_path / "books.yaml").exists()


def test_a_closed_output_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "loans.csv").write_text("reader,book\n" + "".join(f"r{i % 30},b{i % 7}\n" for i in range(300)))
    environment = {**os.environ, "PIPELINE_HOME": str(tmp_path / "home"), "PIPELINE_CONF": str(tmp_path)}
    command = [sys.executable, "-m", "assets", "new", "books", str(tmp_path / "loans.csv")]
    closed = subprocess.run(
        f"{shlex.join(command)} >&-", shell=True, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert (closed.returncode, closed.stderr) == (0, "")
    assert (tmp_path / "books.yaml").exists()


def test_what_the_terminal_s_encoding_lacks_is_a_question_mark(tmp_path: Path) -> None:
    (tmp_path / "loans.csv").write_text("reader,książka\n" + "".join(f"r{i % 30},b{i % 17}\n" for i in range(300)))
    environment = {**os.environ, "PIPELINE_CONF": str(tmp_path), "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "assets", "new", "books", str(tmp_path / "loans.csv")]
    new = subprocess.run(command, env=environment, capture_output=True, encoding="latin-1", check=False)
    assert (new.returncode, new.stderr) == (0, "")
    assert "columns: ksi??ka" in new.stdout
    assert "columns: książka" in (tmp_path / "books.yaml").read_text()


@pytest.fixture
def loans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of which `new` makes a dataset; the folder of conf files is the one that it is in."""
    (tmp_path / "loans.csv").write_text("reader,book\n" + "".join(f"r{i % 30},b{i % 7}\n" for i in range(300)))
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path))
    return tmp_path / "loans.csv"


def test_a_conf_file_that_is_written_during_the_look_stays(
    loans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def looked(*arguments: Any) -> str:
        (loans.parent / "books.yaml").write_text("# by somebody else")
        return proposed(*arguments)

    monkeypatch.setattr(proposing, "proposed", looked)
    assert main(["new", "books", str(loans)]) == 1
    assert "books.yaml: is there already. Choose another name" in capsys.readouterr().err
    assert (loans.parent / "books.yaml").read_text() == "# by somebody else"


def test_no_half_of_a_conf_file_stays(loans: Path) -> None:
    small = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (10, 10))  # as on a disk that is nearly full
    command = [sys.executable, "-m", "assets", "new", "books", str(loans)]
    new = subprocess.run(command, preexec_fn=small, capture_output=True, check=False)
    assert new.returncode == 1
    assert [path.name for path in loans.parent.iterdir()] == ["loans.csv"]


@pytest.mark.parametrize("command", [["new", "x" * 300, "loans.csv"], ["serve", "x" * 300]])
def test_a_name_that_is_too_long_is_told(loans: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 1
    assert "the name is too long. Choose a shorter one" in capsys.readouterr().err


def test_a_run_that_ends_well_and_whose_values_are_not_current_is_a_failure(
    movies: Dataset,
    tmp_path: Path,
    fresh_database: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @dg.op
    def nothing() -> None:
        """It ends well."""

    @dg.job(logger_defs={"lines": lines}, executor_def=dg.in_process_executor)
    def of_nothing() -> None:
        nothing()

    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPELINE_CONF", str(tmp_path / "conf"))
    fresh_database(tmp_path / "home")
    monkeypatch.setattr(module, "execute", lambda _, *others: execute(of_nothing, *others))
    assert main(["run"]) == 1
    said = capsys.readouterr()
    assert said.err == f"\nerror: planted_movies: {LOST}\n"
    assert "Everything is in" not in said.out


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGHUP])  # one of a closed terminal becomes a SIGTERM
def test_an_interrupted_run_is_killed_in_mlflow_and_says_so(
    movies: Dataset, tmp_path: Path, interruption: signal.Signals, run: Callable[..., Process]
) -> None:
    with_training(tmp_path / "conf" / "planted_movies.yaml", max_epochs=1_000_000, patience=1_000_000)
    process = run()
    database = tmp_path / "home" / "mlflow.db"
    wait_until(lambda: process.poll() is not None or learns(database, movies.name))
    process.send_signal(interruption)
    assert process.wait(PATIENCE) == 130
    assert "stopped; what was finished is kept" in process.err
    assert "Traceback" not in process.err
    assert statuses(database, movies.name)["embedding D=2"] == "KILLED"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_an_interruption_that_meets_a_library_is_no_news(
    interruption: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    class Interrupted(sqlite3.Connection):
        def close(self) -> None:
            super().close()
            raise interruption

    listen_to_what_matters()
    engine = create_engine(
        "sqlite://", poolclass=NullPool, creator=lambda: sqlite3.connect(":memory:", factory=Interrupted)
    )
    with pytest.raises(interruption):
        engine.connect().close()
    logging.getLogger("sqlalchemy.pool").error("another line")
    assert logging.lastResort is not None
    told = [record.getMessage() for record in caplog.records if logging.lastResort.filter(record)]
    assert (len(caplog.records), told) == (2, ["another line"])


def test_dev_serves_both_pages_also_after_a_death_and_one_ctrl_c_ends_everything(
    movies: Dataset, tmp_path: Path, command: Callable[..., subprocess.Popen[str]]
) -> None:
    ports = {"DAGSTER_PORT": str(free_port()), "MLFLOW_PORT": str(free_port())}
    killed = command("dev", **ports)
    wait_until(lambda: len(psutil.Process(killed.pid).children()) == 2)
    left = psutil.Process(killed.pid).children()
    wait_until((tmp_path / "home" / "servers.json").exists)
    killed.kill()
    killed.wait()
    report = tmp_path / "home" / "data" / "films" / "report" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("http://127.0.0.1:3000/assets/films/report http://127.0.0.1:5000/#/experiments/1")

    process = command("dev", **ports)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    told = [line for line in _until(lines, "Ctrl-C ends both") if line.strip()]
    assert not _alive(left)
    children = psutil.Process(process.pid).children(recursive=True)
    for name, port in zip(("Dagster", "MLflow"), ports.values(), strict=True):
        address = f"http://127.0.0.1:{port}"
        assert any(re.fullmatch(rf"{name}\s+{address}\S*\n", line) for line in told)
        with urllib.request.urlopen(address, timeout=PATIENCE) as page:
            assert page.status == 200
    places = zip(ports.values(), ("assets/films/report", "#/experiments/1"), strict=True)
    assert report.read_text().split() == [f"http://127.0.0.1:{port}/{place}" for port, place in places]
    second = command("dev")
    assert f"runs already: http://127.0.0.1:{ports['DAGSTER_PORT']}." in second.communicate(timeout=PATIENCE)[1]
    elsewhere = command("dev", **ports, PIPELINE_HOME=str(tmp_path / "another"))
    assert f"port {ports['DAGSTER_PORT']} is taken" in elsewhere.communicate(timeout=PATIENCE)[1]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 0
    assert "Warning" not in process.communicate()[1]  # of the servers, about themselves
    assert len(children) >= 3
    assert not _alive(children)


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def _until(lines: object, last: str) -> list[str]:
    found = []
    for line in lines:  # type: ignore[attr-defined]
        found.append(line)
        if last in line:
            break
    return found
