"""One fit, from settings to a finished MLflow run; or the reuse of the run that already did exactly that.

Every method goes the same way: fit on the training examples, be judged on the validation and the test examples, and
leave an embedding and what inference needs in the run's artifacts. What the methods do is in their own modules.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Dataset
from pipeline.embedding import Embedding, Fitted
from pipeline.encoding import Rows, SparseExamples
from pipeline.errors import PipelineError
from pipeline.evaluation import judge
from pipeline.pictures import draw_losses, draw_map
from pipeline.provenance import fit_key, run_params
from pipeline.splitting import require_room
from pipeline.tracking import FinishedRun, Run, Tracker
from pipeline.vocabulary import Vocabulary

SWEPT = ("embedding", "pca")
"""The methods that are fitted at each D of conf; the other rivals have no D to choose."""


OnEpoch = Callable[[Mapping[str, float], int], None]


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
        """`embedding D=8`; a rival has no D to choose."""
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


def run_name(method: str, dimension: int) -> str:
    """What people read for a fit.

    >>> run_name("pca", 8), run_name("mean", 1)
    ('pca D=8', 'mean')
    """
    return f"{method} D={dimension}" if method in SWEPT else method


def rule_of_thumb(size: int) -> float:
    """The fourth root of the vocabulary's size V, a usual first guess at D.

    >>> rule_of_thumb(10_000)
    10.0
    """
    return float(size**0.25)


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

    Raises:
        PipelineError: the vocabulary is another one, or a D is larger than the data allows.
    """
    log = log or logging.getLogger(__name__)
    vocabulary.require(examples.about["vocabulary"], f"{conf.name}: the sparse examples")
    dimensions = conf.dimensions if method in SWEPT else (1,)
    training = examples.training()
    held_out = {part: rows for part in ("validation", "test") if len(rows := examples.held_out(part))}
    for part, rows in held_out.items():
        if conf.task.kind == "missing_tokens" and not rows.labels.nnz:
            raise PipelineError(
                f"{conf.file}, task: none of the {len(rows)} {part} examples has two known tokens, one to go in and "
                "one to predict. Look at `example`, which says what rows are one, and at `vocabulary.min_count`."
            )
    if method in SWEPT:
        require_room(conf, len(training), len(vocabulary))
    conf = conf.resolved(len(training), len(vocabulary))
    fits = []
    for dimension in dimensions:
        key = fit_key(method, conf, examples, dimension)
        found = None if force else tracker.finished(key)
        if found:
            log.info(f"{conf.name}: {run_name(method, dimension)} is unchanged, its run {found.run_id} is reused")
        else:
            run_tags = {"dataset": conf.name, "method": method, "fit_key": key, **(tags or {})}
            params = run_params(method, conf, vocabulary, examples, dimension)
            with tracker.run(run_name(method, dimension), run_tags, params) as run:
                fit_one(method, conf, vocabulary, training, held_out, dimension, run, log)
            log.info(f"{conf.name}: {_summary(run_name(method, dimension), run.metrics)}")
        done = found or FinishedRun(run.run_id, run.experiment_id, run.metrics)
        fits.append(
            Fit(conf.name, method, dimension, done.run_id, done.experiment_id, found is not None, dict(done.metrics))
        )
    return Fits(tuple(fits))


def fit_one(
    method: str,
    conf: Dataset,
    vocabulary: Vocabulary,
    training: Rows,
    held_out: Mapping[str, Rows],
    dimension: int,
    run: Run,
    log: logging.Logger,
) -> Fitted:
    """Fit, judge on each held-out part, and leave everything in the run."""
    fit = _method(method, held_out.get("validation"), run.log_metrics, log)
    start = time.perf_counter()
    fitted = fit(training, vocabulary, conf, dimension)
    run.log_metrics({"fit_seconds": time.perf_counter() - start})
    uses_log = conf.task.kind == "regression" and conf.task.log
    with tempfile.TemporaryDirectory() as folder:
        for part, rows in held_out.items():
            judgement = judge(fitted, rows, uses_log)
            run.log_metrics({f"{part}_{name}": value for name, value in judgement.metrics.items()})
            judgement.per_example.write_parquet(Path(folder) / f"{part}_examples.parquet")
        save_fitted(fitted, method, conf, run, dimension, Path(folder))
        title = f"{conf.name}: {run_name(method, dimension)}"
        if method in SWEPT:
            draw_map(fitted.embedding, title, Path(folder) / "map.png")
        losses = {name: values for name, values in run.history.items() if name.endswith("_loss")}
        if losses:
            draw_losses(losses, title, Path(folder) / "losses.png")
        run.log_folder(Path(folder))
    return fitted


def _method(
    method: str, validation: Rows | None, on_epoch: OnEpoch, log: logging.Logger
) -> Callable[[Rows, Vocabulary, Dataset, int], Fitted]:
    """The function that fits; torch and scikit-learn take seconds to import, so only what is asked for does."""
    if method == "embedding":
        from pipeline.training import fit_network

        return partial(fit_network, validation=validation, on_epoch=on_epoch, log=log)
    if method == "pca":
        from pipeline.pca import fit_pca

        return fit_pca
    from pipeline import rivals

    return rivals.fit_popularity if method == "popularity" else rivals.fit_mean


def _summary(name: str, metrics: Mapping[str, float]) -> str:
    parts = [f"{key}={value:.4f}" for key, value in metrics.items() if key.startswith("test_")]
    return f"{name} fitted in {metrics['fit_seconds']:.1f} s" + (f", {', '.join(parts)}" if parts else "")


def save_fitted(fitted: Fitted, method: str, conf: Dataset, run: Run, dimension: int, folder: Path) -> None:
    """Write `embedding.parquet`, `weights.npz` and `fit.json`: what inference needs, without pickles."""
    provenance = {
        "dataset": conf.name,
        "method": method,
        "dimension": str(dimension),
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
    conf = Dataset.model_validate(about["conf"])
    embedding = Embedding.load(folder / "embedding.parquet")
    with np.load(folder / "weights.npz", allow_pickle=False) as file:
        weights = {name: file[name] for name in file.files}
    if about["method"] == "embedding":
        from pipeline.training import FittedNetwork

        return FittedNetwork(embedding, weights, conf)
    from pipeline import pca, rivals

    made: Mapping[str, Callable[..., Fitted]] = {
        "pca": pca.FittedPca,
        "popularity": rivals.Popularity,
        "mean": rivals.Mean,
    }
    return made[about["method"]](embedding, weights)
