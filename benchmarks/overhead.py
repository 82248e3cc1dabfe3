"""The time that Dagster and MLflow add: the library alone, and inside assets with runs, warm, in one process.

Alone means plain function calls instead of Dagster, and a folder instead of MLflow. Both ways fit, evaluate, draw and
write everything up to the exports.
"""

import contextlib
import io
import logging
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import yaml

from pipeline.config.files import load
from pipeline.embedding import Embedding
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.positions import ELAPSED
from pipeline.experiment.recorded import load_scores, vocabulary_size
from pipeline.experiment.run import FinishedRun, Run
from pipeline.experiment.tracking import Tracker
from pipeline.inference.described_tokens import described
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.views.exports import Exports
from pipeline.views.publish import draw_pages, write_report
from pipeline.vocabulary.counted import Counted, count

ANSWERS = ("champion", "recommendations")
"""The assets that put a fit to work: they are no part of this contest."""
SAMPLES = Path(__file__).resolve().parent.parent / "conf"


@dataclass
class _FolderRun(Run):
    """A run that keeps its files in a plain folder."""

    folder: Path = Path()
    params: dict[str, str] = field(default_factory=dict)

    def log_metrics(self, metrics: Mapping[str, float], epoch: int = 0) -> None:
        for name, value in metrics.items():
            self.history.setdefault(name, []).append(value)

    def log_params(self, params: Mapping[str, str]) -> None:
        self.params |= params

    def log_input(self, name: str, digest: str, source: str, profile: Mapping[str, int]) -> None:
        return

    def log_folder(self, folder: Path) -> None:
        shutil.copytree(folder, self.folder, dirs_exist_ok=True)


class _FolderTracker(Tracker):
    """A tracker that keeps the runs of a dataset in plain folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._runs: dict[str, _FolderRun] = {}

    def finished(self, key: str) -> FinishedRun | None:
        return None

    def current(self) -> dict[str, FinishedRun]:
        return {}

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], params: Mapping[str, str]) -> Iterator[Run]:
        run_id = uuid4().hex
        self._runs[run_id] = _FolderRun(None, run_id, "0", folder=self.folder(run_id))  # type: ignore[arg-type]
        yield self._runs[run_id]

    def folder(self, run_id: str) -> Path:
        return self.root / run_id

    def file(self, run_id: str, name: str) -> Path:
        return self.folder(run_id) / name

    def history(self, run_id: str, metric: str) -> list[float]:
        return self._runs[run_id].history.get(metric, [])

    def tag(self, run_id: str, name: str) -> str | None:
        return None

    def params(self, run_id: str) -> dict[str, str]:
        return self._runs[run_id].params

    def keep(self, run_id: str, folder: Path, tags: Mapping[str, str]) -> None:
        shutil.copytree(folder, self.folder(run_id), dirs_exist_ok=True)

    def mark_current(self, run_id: str, name: str) -> None:
        pass


def alone(path: Path, out: Path) -> dict[str, float]:
    """Make the library's calls, one after the other; return the seconds of each part, in this order."""
    conf, log, parts = load(path), logging.getLogger("overhead"), _Parts()
    with parts("source to CSR"):
        _kept(ingest(conf, path.parent, out / "read"), out / "records")
        records = Records.load(out / "records")
        _kept(count(records, conf), out / "vocabulary")
        counted = Counted.load(out / "vocabulary")
        vocabulary = counted.vocabulary
        _kept(encode(records.frame, vocabulary, conf, counted.table_of(records, conf)), out / "examples")
        examples = SparseExamples.load(out / "examples")
    tracker, fits = _FolderTracker(out / "runs"), []
    for method in ["embedding", *(baseline.kind for baseline in conf.baselines)]:
        with parts(f"{method}: intervals, files"):
            made = fit_all(
                [method], conf, vocabulary, examples, tracker, force=True, log=log, checkpoints=out / "checkpoints"
            ).fits
        parts.divide(f"{method}: fits and their scores", sum(fit.metrics[ELAPSED] for fit in made))
        fits += made
    with parts("comparison, pages and report"):
        scores = {part: load_scores(tracker, fits, part) for part in HELD_OUT}
        comparison = Comparison.of(fits, vocabulary_size(tracker, fits[0]), conf.task, scores)
        _kept(comparison, out / "comparison")
        draw_pages(conf, comparison, described(records.frame, conf), examples, tracker, log)
        _kept(write_report(conf, comparison, examples, tracker, {})[0], out / "report")
    with parts("exports"):
        learned = Embedding.load(tracker.file(comparison.best.run_id, "embedding.parquet"))
        _kept(Exports(learned, learned.vocabulary.beside(described(records.frame, conf))), out / "exports")
    return parts.seconds


class _Parts:
    """The seconds of each part, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure what is done inside the context."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    def divide(self, name: str, seconds: float) -> None:
        """Take these seconds out of the last part, as one of their own before it."""
        whole, took = self.seconds.popitem()
        self.seconds |= {name: seconds, whole: took - seconds}


def _kept(value: object, folder: Path) -> None:
    folder.mkdir()
    value.save(folder)  # type: ignore[attr-defined]


def inside(path: Path, home: Path) -> None:
    """Materialise the assets of what `alone` does, as `make run` does, in this process."""
    from assets.run_command import definitions, execute, instance, mlflow_from_environment, require_home

    os.environ |= {"PIPELINE_CONF": str(path.parent), "PIPELINE_HOME": str(home), "FORCE": "1"}
    require_home()
    mlflow_from_environment().prepare()
    job = definitions([load(path)]).resolve_job_def(path.stem)
    wanted = {key for key in job.asset_layer.executable_asset_keys if key.path[-1] not in ANSWERS}
    with instance() as dagster, contextlib.redirect_stdout(io.StringIO()):
        if not execute(job.get_subset(asset_selection=wanted), dagster, {"loggers": {"lines": {}}}).success:
            raise RuntimeError(f"{path.stem} failed")


class Overhead(NamedTuple):
    """Median seconds over interleaved rounds."""

    alone: float
    """Of the library alone."""
    inside: float
    """Inside Dagster with MLflow."""
    parts: dict[str, float]
    """Of each part of the library alone."""


def overhead(path: Path, repeats: int) -> Overhead:
    """The time of the library alone, and inside Dagster with MLflow.

    A round of small fits of both tasks comes first, so that everything that is loaded only once is loaded before.
    """
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        for conf in _small(Path(name)):
            _round(conf, home)
        for repeat in range(repeats):
            rounds.append(_round(path, home))
            took = rounds[-1]
            print(
                f"{repeat + 1}/{repeats} {path.stem}: alone {took.alone:.1f} s, inside {took.inside:.1f} s", flush=True
            )
    parts = {part: statistics.median(one.parts[part] for one in rounds) for part in rounds[0].parts}
    return Overhead(*(statistics.median(one[i] for one in rounds) for i in range(2)), parts)


def _small(folder: Path) -> Iterator[Path]:
    """Write the samples' confs with one fit of each method and no folds: their paths."""
    for path in (SAMPLES / "movies.yaml", SAMPLES / "homes.yaml"):
        settings = yaml.safe_load(path.read_text()) | {
            "dimensions": [2],
            "baselines": [{"kind": "pca", "dimensions": [2]}],
            "split": {},
        }
        (folder / path.name).write_text(yaml.safe_dump(settings))
        yield folder / path.name


def _round(conf: Path, home: Path) -> Overhead:
    with tempfile.TemporaryDirectory() as passing:
        start = time.perf_counter()
        parts = alone(conf, Path(passing))
        between = time.perf_counter()
        inside(conf, home)
    return Overhead(between - start, time.perf_counter() - between, parts)
