"""Planted truth, small enough to train in seconds: data in which the right answer is known because we put it there."""

import gc
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, settings
from selenium.webdriver import Chrome

from assets.run_command import instance
from benchmarks import postgresql
from docs.tour import free_port, open_browser
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.client import prepare
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary
from tests.forked import Forks, Process, forks

# A machine that has other things to do is slow, not wrong.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# Who runs tests in the background of a shell, or with `nohup`, ignores signals by which tests interrupt processes.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
PATIENCE = 600
"""Seconds that a test waits for something to happen, at most: it goes on as soon as that has happened."""

WORDS = {
    "castle": 0.9,
    "palace": 0.8,
    "garden": 0.4,
    "cellar": 0.3,
    "street": 0.0,
    "busy": -0.3,
    "damp": -0.6,
    "ruin": -0.9,
}
"""What each word adds to the logarithm of a planted home's price."""

NOTED = {
    "town": ("street", "tower", "tram", "market"),
    "woods": ("tree", "moss", "bird", "path"),
    "sea": ("wave", "gull", "sail", "salt"),
}
"""The words of each place that a planted note can be written in."""


def genre_of(token: str) -> str:
    """The planted genre of a movie such as `war-07`."""
    return token.split("-")[0]


def encoded_from(records: pl.DataFrame | pl.LazyFrame, conf: Dataset) -> tuple[Vocabulary, SparseExamples]:
    """The vocabulary and the examples of all records of a dataset."""
    vocabulary = build_vocabulary(pair_table(records.lazy(), conf), conf)
    return vocabulary, encode(records.lazy(), vocabulary, conf)


def spoil(path: Path) -> None:
    """Make a file unreadable, and let it look as if it had not changed."""
    about = path.stat()
    path.write_bytes(bytes(about.st_size))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Libraries are loaded as files are collected: a search for garbage among what they define would find none."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests begin first, the longest before all: no worker is left with one at the end."""
    items.sort(key=lambda item: -max((mark.args[0] for mark in item.iter_markers("slow")), default=0))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """All files give way to the longest, for which they would have to wait in the end."""
    if item.path != item.session.items[0].path:
        os.setpriority(os.PRIO_PROCESS, 0, 5)


def wait_until(holds: Callable[[], bool]) -> None:
    """Look again and again, until it holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def statuses(database: Path, dataset: str) -> dict[str, str]:
    """The status of each MLflow run of a dataset, by name.

    Read as a bystander: MLflow's own client would migrate a database that is still being made.
    """
    query = "SELECT r.name, r.status FROM runs r JOIN experiments e USING (experiment_id) WHERE e.name = ?"
    return dict(_rows(database, query, dataset))


def learns(database: Path, dataset: str) -> bool:
    """Whether an epoch of a fit of a dataset is over, and its losses are in MLflow."""
    query = (
        "SELECT m.key FROM metrics m JOIN runs r USING (run_uuid) JOIN experiments e USING (experiment_id) "
        "WHERE e.name = ? AND m.key = 'train_loss'"
    )
    return bool(_rows(database, query, dataset))


def _rows(database: Path, query: str, dataset: str) -> list[Any]:
    with suppress(sqlite3.OperationalError), sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(query, (dataset,)).fetchall()
    return []


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Makes MLflow's database and Dagster's in a home, as the product does, and gives the address of MLflow's.

    Each is a copy of the first.
    """
    template = tmp_path_factory.mktemp("databases")
    prepare(f"sqlite:///{template}/mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIPELINE_HOME", str(template))
        with instance():
            pass

    def make(folder: Path) -> str:
        shutil.copytree(template, folder, dirs_exist_ok=True)
        prepare(f"sqlite:///{folder}/mlflow.db")  # it follows
        return f"sqlite:///{folder}/mlflow.db"

    return make


@pytest.fixture(scope="session")
def _forks() -> Iterator[Forks]:
    with forks() as made:
        yield made


@pytest.fixture
def started(_forks: Forks) -> Iterator[Callable[..., Process]]:
    """Start `embedding-pipeline run` and the like in a process of its own, which does not outlive the test."""
    yield _forks.start
    _forks.end()


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[postgresql.Cluster]:
    """A real PostgreSQL."""
    if postgresql.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgresql.cluster(free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def two_genres() -> pl.DataFrame:
    """160 users who watch 8 of 20 movies of their genre, and one of the other: columns user, movie, title."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(160):
        genre, other = ("war", "love") if user % 2 else ("love", "war")
        movies = [f"{genre}-{i:02d}" for i in random.choice(20, 8, replace=False)] + [
            f"{other}-{random.integers(20):02d}"
        ]
        rows += [{"user": f"u{user:03d}", "movie": movie, "title": movie.title()} for movie in movies]
    return pl.DataFrame(rows)


@pytest.fixture(scope="session")
def priced_words() -> pl.DataFrame:
    """600 homes whose words each add a known amount to the log price, beside their area: columns text, area, price."""
    random = np.random.default_rng(0)
    words = list(WORDS)
    rows = []
    for _ in range(600):
        chosen = [word for word in words if random.random() < 0.4]
        area = random.uniform(50, 150)
        log_price = 11 + sum(WORDS[word] for word in chosen) + 0.005 * area + random.normal(0, 0.05)
        rows.append({"text": " ".join(chosen), "area": area, "price": float(np.exp(log_price))})
    return pl.DataFrame(rows)


@pytest.fixture(scope="session")
def noted_words() -> pl.DataFrame:
    """600 notes of a person on a trip, whose words tell where they were written: columns text, hour, place.

    Of the words of its place a note has each with a chance of 0.5, of the other places' with 0.1; at sea it is late.
    """
    random = np.random.default_rng(0)
    rows = []
    for _ in range(600):
        place = random.choice(list(NOTED), p=(0.5, 0.3, 0.2))
        words = [w for other, own in NOTED.items() for w in own if random.random() < (0.5 if other == place else 0.1)]
        rows.append({"text": " ".join(words), "hour": random.normal(20 if place == "sea" else 12, 3), "place": place})
    return pl.DataFrame(rows)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A real browser without a window, offline but for this machine; `make test` installs it where it can."""
    yield from _browser(tmp_path_factory, draws=True)


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser without WebGL: for pages that are looked at for long, and do not need it."""
    yield from _browser(tmp_path_factory, draws=False)


def _browser(tmp_path_factory: pytest.TempPathFactory, draws: bool) -> Iterator[Chrome]:
    try:
        driver = open_browser(tmp_path_factory.mktemp("chromium"), draws)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def _nothing_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the environment in which the tests run may change what they see."""
    for variable in (
        "PIPELINE_HOME",
        "PIPELINE_CONF",
        "PIPELINE_STORE",
        "MLFLOW_TRACKING_URI",
        "MLFLOW_PORT",
        "DAGSTER_HOME",
        "FORCE",
        "RAY_ADDRESS",
    ):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def _the_same_draws_in_any_order(request: pytest.FixtureRequest) -> None:
    """Who draws from the `RNG` of a file of tests draws the same, whatever was drawn before."""
    rng = getattr(request.module, "RNG", None)
    if rng is not None:
        rng.seed(request.node.name)


@pytest.fixture
def write_conf(tmp_path: Path) -> Callable[..., Path]:
    """Write a conf file: `write_conf("name", settings)` gives its path; CSV files lie beside it."""

    def write(name: str, settings: dict[str, Any], records: pl.DataFrame | None = None) -> Path:
        folder = tmp_path / "conf"
        folder.mkdir(exist_ok=True)
        if records is not None:
            records.write_csv(folder / f"{name}.csv")
            settings = {"source": {"path": f"{name}.csv"}, **settings}
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        return path

    return write


@pytest.fixture
def minimal() -> dict[str, Any]:
    """The settings that a conf file cannot do without."""
    return {
        "description": "Short.",
        "source": {"path": "records.csv"},
        "tokens": [{"kind": "value", "columns": "movie"}],
        "task": {"kind": "missing_tokens"},
        "dimensions": [2],
    }


MOVIES: dict[str, Any] = {
    "description": "Planted: two genres.",
    "example": "user",
    "tokens": [{"kind": "value", "columns": "movie", "label": "title"}],
    "split": {"validation": 0.2, "test": 0.2},
    "task": {"kind": "missing_tokens"},
    "dimensions": [2],
    "training": {"max_epochs": 40, "temperature": 0.2},
    "baselines": [{"kind": "pca", "dimensions": [2]}, "popularity"],
    "seeds": 1,
    "replicas": 2,
}
"""Learned for long enough to tell the genres apart."""
HOMES: dict[str, Any] = {
    "description": "Planted: priced words.",
    "tokens": [{"kind": "words", "columns": "text"}],
    "task": {"kind": "regression", "target": "price", "dense": ["area"]},
    "dimensions": [2],
    "training": {"max_epochs": 20},
    "seeds": 1,
    "replicas": 2,
    "baselines": [{"kind": "pca", "dimensions": [2]}, "mean"],
}
"""Learned for long enough to tell dear words from cheap ones."""


def with_training(path: Path, **training: Any) -> Path:
    """A conf file whose training is changed, but for its temperature: its path."""
    settings = yaml.safe_load(path.read_text())
    kept = {name: value for name, value in settings["training"].items() if name == "temperature"}
    path.write_text(yaml.safe_dump({**settings, "training": kept | training}, sort_keys=False))
    return path


def with_baselines(conf: Dataset, *baselines: Any) -> Dataset:
    """With these baselines instead of those that it has, beside PCA."""
    return conf.model_copy(update={"baselines": (conf.baseline("pca"), *baselines)})


@pytest.fixture
def movies(write_conf: Callable[..., Path], two_genres: pl.DataFrame) -> Dataset:
    """The planted movies as a conf object."""
    return load(write_conf("planted_movies", MOVIES, two_genres))


@pytest.fixture
def homes(write_conf: Callable[..., Path], priced_words: pl.DataFrame) -> Dataset:
    """The planted homes as a conf object."""
    return load(write_conf("planted_homes", HOMES, priced_words))


NOTES: dict[str, Any] = {
    "description": "Planted: words of three places.",
    "tokens": [{"kind": "words", "columns": "text"}],
    "task": {"kind": "classification", "target": "place", "dense": ["hour"]},
    "dimensions": [2],
    "training": {"max_epochs": 20},
    "baselines": [{"kind": "pca", "dimensions": [2]}, "most_frequent_class"],
}
"""Learned for long enough to tell the places apart."""


@pytest.fixture
def notes(write_conf: Callable[..., Path], noted_words: pl.DataFrame) -> Dataset:
    """The planted notes as a conf object."""
    return load(write_conf("planted_notes", NOTES, noted_words))
