"""A training that is really killed goes on where it was, and several processes learn what one learns."""

import json
import logging
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from filelock import FileLock

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem, Watch
from pipeline.evaluation.metrics import measure
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.tracking import Tracker
from pipeline.network.fitted_network import FittedNetwork
from pipeline.network.learned import LearnedEmbedding
from pipeline.network.regression_module import RegressionModule
from pipeline.network.task_module import TaskModule
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from, with_training

pytestmark = pytest.mark.slow(50)

PROJECT = Path(__file__).parents[3]
LOG = logging.getLogger("test")
KILLED = """
    import json, os, signal, sys
    from pathlib import Path
    import polars as pl
    from pipeline.network import callbacks
    from pipeline.config.files import load
    from pipeline.examples.encoding import encode
    from pipeline.experiment.fitting import fit_all
    from pipeline.records.pairs.builder import pair_table
    from pipeline.experiment.tracking import Tracker
    from pipeline.vocabulary.vocabulary import build_vocabulary

    callbacks.CHECKPOINT_SECONDS, callbacks.CHECKPOINT_STEPS = 0.0, 1

    def fit(home, conf, csv, numbers, writes):
        write, written = callbacks.CheckpointWriter._write, [0]

        def then_die(self, trainer, pause):
            write(self, trainer, 0.0)
            written[0] += 1
            if written[0] == writes:
                os.kill(os.getpid(), signal.SIGKILL)

        callbacks.CheckpointWriter._write = then_die
        home, conf = Path(home), load(Path(conf))
        records = pl.scan_csv(csv, infer_schema=numbers)
        vocabulary = build_vocabulary(pair_table(records, conf), conf)
        tracker = Tracker(f"sqlite:///{home}/mlflow.db", home / "artifacts", conf.name)
        examples = encode(records, vocabulary, conf)
        fit_all(["embedding"], conf, vocabulary, examples, tracker, checkpoints=home / "checkpoints")

    for line in sys.stdin:
        child = os.fork()
        if not child:
            fit(**json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Forks a process for each fit, which dies in the middle of it; the modules that a fit needs are imported once."""


@pytest.fixture(scope="module")
def killed_fit() -> Iterator[Callable[..., int]]:
    """Begin a fit that kills itself once it has written the n-th checkpoint: the exit code of its process."""
    code = [sys.executable, "-c", textwrap.dedent(KILLED)]
    with subprocess.Popen(code, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def begin(**settings: Any) -> int:
            process.stdin.write(json.dumps(settings) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return int(process.stdout.readline())  # type: ignore[union-attr]

        yield begin


def encoded(path: Path, conf: Dataset) -> tuple[Vocabulary, SparseExamples]:
    records = pl.scan_csv(path.with_suffix(".csv"), infer_schema=conf.task.kind == "regression")
    return encoded_from(records, conf)


@pytest.mark.parametrize(
    ("name", "training", "writes"),
    [
        ("movies", {"max_epochs": 4, "batch_size": 16}, 6),  # 6 checkpoints an epoch: at the first's end
        ("movies", {"max_epochs": 4, "batch_size": 16, "negatives": 8, "dropout": 0.1}, 12),  # the second's end
        ("homes", {"max_epochs": 3, "batch_size": 64}, 10),  # within the second
    ],
)
def test_a_killed_fit_goes_on_to_the_same_bits(
    name: str,
    training: dict[str, Any],
    writes: int,
    tmp_path: Path,
    killed_fit: Callable[..., int],
    fresh_database: Callable[[Path], str],
    request: pytest.FixtureRequest,
) -> None:
    conf = request.getfixturevalue(name)
    database = fresh_database(tmp_path)
    path = with_training(tmp_path / "conf" / f"{conf.name}.yaml", **training)
    csv = str(path.with_suffix(".csv"))
    numbers = name == "homes"
    assert killed_fit(home=str(tmp_path), conf=str(path), csv=csv, numbers=numbers, writes=writes) == -signal.SIGKILL
    assert list((tmp_path / "checkpoints").glob("*/*/last.ckpt"))

    conf = load(path)
    vocabulary, examples = encoded(path, conf)
    tracker = Tracker(database, tmp_path / "artifacts", conf.name)
    lines: list[str] = []
    log = logging.Logger("lines")
    log.addHandler(To(lines))
    (fit,) = fit_all(
        ["embedding"], conf, vocabulary, examples, tracker, log=log, checkpoints=tmp_path / "checkpoints"
    ).fits
    assert any("goes on in epoch" in line for line in lines)
    assert not list((tmp_path / "checkpoints").iterdir())
    assert len(tracker.history(fit.run_id, "validation_loss")) == training["max_epochs"]

    elsewhere = Tracker(fresh_database(tmp_path / "other"), tmp_path / "other", conf.name)
    (whole,) = fit_all(["embedding"], conf, vocabulary, examples, elsewhere).fits
    ours, others = (
        pl.read_parquet(t.file(f.run_id, "embedding.parquet")) for t, f in ((tracker, fit), (elsewhere, whole))
    )
    assert ours.equals(others)


class To(logging.Handler):
    """Puts messages into a list."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_a_checkpoint_that_cannot_be_read_costs_time_and_no_more(movies: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "conf" / "planted_movies.yaml"
    vocabulary, examples = encoded(path, movies)
    lines: list[str] = []
    log = logging.Logger("lines")
    log.addHandler(To(lines))
    broken = tmp_path / "checkpoints" / "a" / "last.ckpt"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"half a file")
    conf = movies.resolved(examples.n_training, len(vocabulary))
    (temperature,) = conf.training.temperature  # type: ignore[union-attr, misc]
    broken.parent.rename(
        broken.parent.with_name(f"a-temperature={temperature}-weight_decay=0.0-cut=0-count_power=0.25")
    )
    found = [
        LearnedEmbedding(conf).fit(
            Problem(examples.training(), vocabulary, conf, 2, watch=Watch("a", log, checkpoints=folder))
        )
        for folder in (tmp_path / "checkpoints", None)
    ]
    assert (found[0].embedding.matrix == found[1].embedding.matrix).all()
    assert any("cannot be read" in line for line in lines)


def test_a_training_with_checkpoints_has_no_other_folder_that_it_would_leave_when_killed(
    movies: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no place for temporary folders: who makes one fails."""
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    conf = movies.resolved(examples.n_training, len(vocabulary))
    watch = Watch("a", LOG, checkpoints=tmp_path / "checkpoints")
    LearnedEmbedding(conf).fit(Problem(examples.training(), vocabulary, conf, 2, watch=watch))
    assert list((tmp_path / "checkpoints").iterdir())


def test_who_trains_the_same_at_the_same_time_is_left_alone(movies: Dataset, tmp_path: Path) -> None:
    vocabulary, examples = encoded(tmp_path / "conf" / "planted_movies.yaml", movies)
    conf = movies.resolved(examples.n_training, len(vocabulary))
    (temperature,) = conf.training.temperature  # type: ignore[union-attr, misc]
    folder = tmp_path / "checkpoints" / f"a-temperature={temperature}-weight_decay=0.0-cut=0-count_power=0.25"
    folder.mkdir(parents=True)
    with FileLock(folder / "lock"):
        watch, validation = Watch("a", LOG, checkpoints=folder.parent), examples.held_out("validation")
        LearnedEmbedding(conf).fit(Problem(examples.training(), vocabulary, conf, 2, validation, watch=watch))
    assert [path.name for path in folder.iterdir()] == ["lock"]


def huber_loss(task: Any, fitted: FittedNetwork, rows: ExampleSet) -> float:
    """The mean loss of examples whose answers are numbers, on the scale that is learned."""
    predicted = fitted.score(rows.inputs.csr(), rows.dense)
    found, true = (torch.from_numpy(task.learned(one, fitted.weights)) for one in (predicted, rows.target))
    return float(torch.nn.functional.huber_loss(found, true))


@pytest.mark.parametrize(
    ("name", "training"),
    [("movies", {"negatives": 24, "learning_rate": 0.1, "max_epochs": 12}), ("homes", {"max_epochs": 12})],
)
def test_two_processes_learn_what_one_learns(
    name: str,
    training: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each learns from half of the examples: the quality is the same up to chance. The loss of all arrives here."""
    both = RegressionModule.promising
    monkeypatch.setattr(RegressionModule, "promising", lambda *given: both(*given)[:1])  # only what is trained
    conf = request.getfixturevalue(name)
    vocabulary, examples = encoded(tmp_path / "conf" / f"{conf.name}.yaml", conf)
    test = examples.held_out("test")
    scores = []
    for devices in (1, 2):
        settings = conf.training.model_copy(update={**training, "devices": devices})
        asked = conf.model_copy(update={"training": settings}).resolved(examples.n_training, len(vocabulary))
        told: dict[int, float] = {}

        def on_epoch(losses: Mapping[str, float], epoch: int, told: dict[int, float] = told) -> None:
            told[epoch] = losses["validation_loss"]

        watch = Watch("planted", LOG, on_epoch)
        validation = examples.held_out("validation")
        fitted = LearnedEmbedding(asked).fit(
            Problem(examples.training(), vocabulary, asked, 2, validation, watch=watch)
        )
        assert list(told) == list(range(1, asked.training.max_epochs + 1))
        scores.append(measure(conf.task, conf.task.evaluate(fitted, test)))
        if name == "homes":  # of missing tokens the loss depends on what was drawn
            assert told[fitted.chosen["epochs"]] == pytest.approx(huber_loss(conf.task, fitted, validation), rel=1e-5)
    metric = "recall_at_20" if name == "movies" else "r2_log"
    assert scores[1][metric] == pytest.approx(scores[0][metric], abs=0.03)
    assert scores[1][metric] > 0.8


class _OfRank(TaskModule):
    """A module in a process of several."""

    def __init__(self, rank: int) -> None:
        super().__init__(torch.nn.Linear(1, 1), None, 1)
        self.rank = rank

    @property
    def global_rank(self) -> int:  # type: ignore[override]
        return self.rank


def test_processes_that_go_on_draw_numbers_of_their_own() -> None:
    """A checkpoint has the state of the first process; the others must draw neither its numbers nor their first."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = torch.rand(3)
        checkpoint: dict[str, Any] = {}
        _OfRank(0).on_save_checkpoint(checkpoint)
        goes_on = torch.rand(3)
        drawn = []
        for rank in (0, 1, 2, 1):
            _OfRank(rank).on_load_checkpoint(checkpoint)
            drawn.append(torch.rand(3).tolist())
    assert drawn[0] == goes_on.tolist()
    assert drawn[1] == drawn[3]
    assert len({tuple(numbers) for numbers in [first.tolist(), *drawn]}) == 4
