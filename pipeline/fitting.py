"""One fit, from settings to a finished MLflow run; or the reuse of the run that already did exactly that.

Every method goes the same way: fit on the training examples, let validation choose, be judged on the test examples, and
leave an embedding and what inference needs in the run's artifacts. What the methods do is in their own modules.
"""

import json
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from filelock import FileLock, Timeout

from pipeline import sources
from pipeline.config import Dataset
from pipeline.embedding import Embedding, Fitted
from pipeline.encoding import HELD_OUT, SparseExamples
from pipeline.errors import PipelineError
from pipeline.evaluation import judge, measure
from pipeline.intervals import interval, resampled
from pipeline.methods import METHODS, Method, run_name
from pipeline.pictures import draw_losses, draw_map, draw_norms
from pipeline.provenance import fit_key, run_params
from pipeline.rows import Rows
from pipeline.splitting import require_room
from pipeline.tracking import FinishedRun, Run, Tracker
from pipeline.vocabulary import Vocabulary


@dataclass(frozen=True)
class Fit:
    """A fit that is done: which, where it is, and what it is worth."""

    dataset: str
    method: str
    dimension: int
    run_id: str
    experiment_id: str
    reused: bool
    metrics: Mapping[str, float]

    @property
    def name(self) -> str:
        """`embedding D=8`; a rival that is not fitted at each D has no number in its name."""
        return run_name(self.method, self.dimension)


@dataclass(frozen=True)
class Fits:
    """The fits of one asset, in the order of conf."""

    fits: tuple[Fit, ...]

    def save(self, folder: Path) -> None:
        """Write `fits.json`."""
        (folder / "fits.json").write_text(json.dumps([asdict(fit) for fit in self.fits], indent=2))

    @classmethod
    def load(cls, folder: Path) -> "Fits":
        """Read what `save` wrote."""
        return cls(tuple(Fit(**fit) for fit in json.loads((folder / "fits.json").read_text())))


def fit_all(
    method: str,
    conf: Dataset,
    vocabulary: Vocabulary,
    examples: SparseExamples,
    tracker: Tracker,
    *,
    tags: Mapping[str, str] | None = None,
    force: bool = False,
    log: logging.Logger | None = None,
    checkpoints: Path | None = None,
) -> Fits:
    """Fit one method at each of its dimensions, one MLflow run each; an unchanged fit is reused.

    Args:
        method: `embedding`, `pca`, or a rival.
        conf: the dataset.
        vocabulary: the one that encoded the examples.
        examples: all of them, with their splits.
        tracker: the dataset's MLflow experiment.
        tags: more tags for the runs, such as `dagster.run_id`.
        force: repeat a fit even if it is unchanged.
        log: gets a line for each fit and a few for its epochs.
        checkpoints: a folder in which a fit that takes long leaves its state, so that a killed one goes on where it
            was; what is there of a fit is gone once it is done.

    Raises:
        PipelineError: the vocabulary is another one, nothing can be judged, or the data has no room for a setting.
    """
    log = log or logging.getLogger(__name__)
    how = METHODS[method]
    vocabulary.require(examples.about["vocabulary"], f"{conf.name}: the sparse examples")
    _require_something_to_predict(examples, conf)
    require_room(conf, examples.n_training, len(vocabulary))
    conf = conf.resolved(examples.n_training, len(vocabulary))
    fits = []
    for dimension in how.dimensions(conf):
        name = run_name(method, dimension)
        key = fit_key(how, conf, examples, dimension)
        found = None if force else tracker.finished(key)
        if found:
            log.info(f"{conf.name}: {name} is unchanged, its run {found.run_id} is reused")
            done = found
        else:
            run_tags = {"dataset": conf.name, "method": method, "fit_key": key, **(tags or {})}
            with tracker.run(name, run_tags, run_params(how, conf, vocabulary, examples, dimension)) as run:
                run.log_input(conf.name, examples.fingerprint, sources.name(conf.source), _profile(examples))
                state = checkpoints / key if checkpoints else None
                fitted = fit_one(how, conf, vocabulary, examples, dimension, run, log, state)
            if state:
                _remove(state)
            log.info(f"{conf.name}: {_summary(name, run.metrics)}")
            params = {"dimension": str(fitted.embedding.dimension)}
            done = FinishedRun(run.run_id, run.experiment_id, run.metrics, params)
        fits.append(
            Fit(
                conf.name,
                method,
                int(done.params["dimension"]),
                done.run_id,
                done.experiment_id,
                found is not None,
                dict(done.metrics),
            )
        )
    return Fits(tuple(fits))


def _remove(state: Path) -> None:
    """Remove the checkpoints of a fit that is done, but not those of another process that is at it just now."""
    for folder in state.glob("*/"):
        with suppress(Timeout), FileLock(folder / "lock", timeout=0):
            shutil.rmtree(folder)
    with suppress(OSError):  # not empty, or never made
        state.rmdir()


def _profile(examples: SparseExamples) -> dict[str, int]:
    n, v = examples.shape
    return {"examples": n, "vocabulary": v, "stored_entries": len(examples.indices)}


def _require_something_to_predict(examples: SparseExamples, conf: Dataset) -> None:
    for part in HELD_OUT if conf.task.kind == "missing_tokens" else ():
        rows = examples.held_out(part)
        if len(rows) and not rows.labels.lengths.any():
            raise PipelineError(
                f"{conf.file}, task: none of the {len(rows)} {part} examples has two known tokens, one to go in and "
                "one to predict. Look at `example`, which says what rows are one, and at `vocabulary.min_count`."
            )


def fit_one(
    method: Method,
    conf: Dataset,
    vocabulary: Vocabulary,
    examples: SparseExamples,
    dimension: int | None,
    run: Run,
    log: logging.Logger,
    state: Path | None = None,
) -> Fitted:
    """Fit and judge, in each turn of the examples, and leave everything in the run.

    Validation chooses; then, where conf says `refit`, the same is fitted on training and validation together; then the
    test examples judge. Of several turns (folds) the fit that is kept is one on all examples, with the typical choice.
    `state` is a folder for what a training that is interrupted goes on with.
    """
    clock = _Clock()
    losses = _Losses(run, live=examples.turns == 1)
    fit = partial(_fit, method, vocabulary, conf, dimension, losses, log, clock, state)
    scores: dict[str, list[pl.DataFrame]] = {part: [] for part in HELD_OUT}
    chosen = []
    whole = run_name(method.name, dimension)
    for turn in range(examples.turns):
        name = f"{whole}, fold {turn + 1} of {examples.turns}" if examples.turns > 1 else whole
        validation, test = (examples.held_out(part, turn, conf.judged, conf.seed) for part in HELD_OUT)
        fitted = fit(name, examples.training(turn), validation=validation if len(validation) else None)
        chosen.append(fitted.chosen)
        if len(validation):
            scores["validation"].append(judge(fitted, validation))
            if conf.refit:
                fitted = fit(f"{name}, refit", examples.training(turn, refit=True), chosen=fitted.chosen)
        if len(test):
            scores["test"].append(judge(fitted, test))
    if examples.turns > 1:
        fitted = fit(f"{whole}, all", examples.everything(), chosen=typical(chosen))
    losses.flush()
    run.log_metrics({"fit_seconds": clock.seconds})
    run.log_params(_chosen_params(chosen, dimension, fitted))
    _keep(fitted, method, conf, run, {part: pl.concat(frames) for part, frames in scores.items() if frames})
    return fitted


def _fit(
    method: Method,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None,
    losses: "_Losses",
    log: logging.Logger,
    clock: "_Clock",
    state: Path | None,
    name: str,
    training: Rows,
    validation: Rows | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> Fitted:
    """Call the method's function, and measure the time that it takes."""
    function = method.function()
    if method.name == "embedding":
        function = partial(
            function,
            name=f"{conf.name}: {name}",
            on_epoch=losses.of(chosen is not None),
            log=log,
            checkpoints=state,
            on_resume=clock.add,
        )
    with clock:
        fitted: Fitted = function(training, vocabulary, conf, dimension, validation, chosen)
    return fitted


def typical(chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several turns chose, as one: the median of numbers (one that was chosen), the most frequent of names.

    >>> typical([{"epochs": 30, "weighting": "cosine"}, {"epochs": 50, "weighting": "tfidf"}, {"epochs": 31,
    ...     "weighting": "cosine"}])
    {'epochs': 31, 'weighting': 'cosine'}
    """
    of_each = {name: [found[name] for found in chosen] for name in chosen[0]}
    return {
        name: statistics.mode(values) if isinstance(values[0], str) else statistics.median_low(values)
        for name, values in of_each.items()
    }


def _chosen_params(chosen: Sequence[Mapping[str, Any]], dimension: int | None, fitted: Fitted) -> dict[str, str]:
    params = {
        f"selected.{name}": ", ".join(str(found[name]) for found in chosen) for name in (chosen[0] if chosen else {})
    }
    return params | ({"dimension": str(fitted.embedding.dimension)} if dimension is None else {})


class _Clock:
    """Adds up the seconds of what happens `with` it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count seconds of an earlier process too."""
        self.seconds += seconds

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


@dataclass
class _Losses:
    """The losses of a run by epoch: as they come, or of several turns their mean; those of a refit by another name."""

    run: Run
    live: bool
    seen: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def of(self, refit: bool) -> Any:
        """What a network's training calls at the end of each epoch."""
        return partial(self._note, "refit_" if refit else "")

    def _note(self, prefix: str, losses: Mapping[str, float], epoch: int) -> None:
        for name, value in losses.items():
            self.seen.setdefault((prefix + name, epoch), []).append(value)
        if self.live:
            self.run.log_metrics({prefix + name: value for name, value in losses.items()}, epoch)

    def flush(self) -> None:
        """Send the means, where the losses were not sent as they came."""
        for (name, epoch), values in sorted(self.seen.items() if not self.live else [], key=lambda item: item[0][1]):
            self.run.log_metrics({name: float(np.mean(values))}, epoch)


def _keep(fitted: Fitted, method: Method, conf: Dataset, run: Run, scores: Mapping[str, pl.DataFrame]) -> None:
    """Put metrics with their intervals, scores, embedding, weights and pictures into the run."""
    title = f"{conf.name}: {run_name(method.name, fitted.embedding.dimension)}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, frame in scores.items():
            run.log_metrics({f"{part}_{metric}": value for metric, value in measure(frame, conf.logs).items()})
            (values,) = resampled([frame], conf.logs)
            for metric, drawn in values.items():
                found = interval(drawn, frame.height)
                if np.isfinite(found.low):
                    run.log_metrics({f"{part}_{metric}_low": found.low, f"{part}_{metric}_high": found.high})
            frame.write_parquet(folder / f"{part}_examples.parquet")
        save_fitted(fitted, method.name, conf, run, folder)
        if method.swept:
            draw_map(fitted.embedding, title, folder / "map.png")
            draw_norms(fitted.embedding, title, folder / "norms.png")
        losses = {str(loss): run.history[loss] for loss in ("train_loss", "validation_loss") if loss in run.history}
        if losses:
            draw_losses(losses, title, folder / "losses.png")
        run.log_folder(folder)


def _summary(name: str, metrics: Mapping[str, float]) -> str:
    parts = [
        f"{key}={value:.4f}"
        for key, value in metrics.items()
        if key.startswith("test_") and not key.endswith(("_low", "_high"))
    ]
    return f"{name} fitted in {metrics['fit_seconds']:.1f} s" + (f", {', '.join(parts)}" if parts else "")


def save_fitted(fitted: Fitted, method: str, conf: Dataset, run: Run, folder: Path) -> None:
    """Write `embedding.parquet`, `weights.npz` and `fit.json`: what inference needs, without pickles."""
    provenance = {
        "dataset": conf.name,
        "method": method,
        "dimension": str(fitted.embedding.dimension),
        "mlflow_run": run.run_id,
        "vocabulary": fitted.embedding.vocabulary.fingerprint,
    }
    embedding = Embedding(fitted.embedding.vocabulary, fitted.embedding.matrix, provenance)
    embedding.save(folder / "embedding.parquet")
    arrays: dict[str, Any] = dict(fitted.weights)
    np.savez(folder / "weights.npz", allow_pickle=False, **arrays)
    (folder / "fit.json").write_text(json.dumps({**provenance, "conf": conf.model_dump(mode="json")}, indent=2))


def load_fitted(folder: Path) -> Fitted:
    """A fit from its run's artifacts, ready to score."""
    about = json.loads((folder / "fit.json").read_text())
    embedding = Embedding.load(folder / "embedding.parquet")
    with np.load(folder / "weights.npz", allow_pickle=False) as file:
        weights = {name: file[name] for name in file.files}
    return METHODS[about["method"]].restore(embedding, weights, Dataset.model_validate(about["conf"]))


def vocabulary_size(tracker: Tracker, fit: Fit) -> int:
    """V, the number of tokens in a fit's embedding."""
    rows: int = pl.scan_parquet(tracker.file(fit.run_id, "embedding.parquet")).select(pl.len()).collect().item()
    return rows


def load_scores(tracker: Tracker, fits: Sequence[Fit], part: str) -> list[pl.DataFrame]:
    """What each held-out example of a part scored in each fit; nothing where the part has no examples."""
    if not all(any(name.startswith(f"{part}_") and not name.endswith("_loss") for name in fit.metrics) for fit in fits):
        return []
    return [pl.read_parquet(tracker.file(fit.run_id, f"{part}_examples.parquet")) for fit in fits]
