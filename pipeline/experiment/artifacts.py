"""What a run keeps of its fit: metrics with intervals, scores, embedding, weights, pictures."""

import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.training import INTERPOLATION
from pipeline.embedding import Embedding, Estimator
from pipeline.estimators import estimator_type, run_name
from pipeline.evaluation.bootstrap import interval, n_independent, resampled
from pipeline.evaluation.metrics import judged_part, measure
from pipeline.examples.recency import ORDERED
from pipeline.experiment.cache_key import key_of
from pipeline.experiment.code_version import code_version
from pipeline.experiment.cross_fitting import CrossFitted
from pipeline.experiment.fits import Fit
from pipeline.experiment.run import FinishedRun, Run
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE, save_fitted, scores_file
from pipeline.pictures.figures import draw_losses, draw_map, draw_norms
from pipeline.vocabulary.vocabulary import Vocabulary

PICTURES_KEY = "pictures_key"
"""Tag of a run: key of the labels in its pictures, and of the code that drew them."""
_LOSSES = ("train_loss", "validation_loss")
_KEPT = ("epochs", INTERPOLATION)


def keep_fit(done: CrossFitted, method: Estimator, conf: Dataset, run: Run) -> None:
    """Put metrics with their intervals, scores, embedding, weights and pictures into the run."""
    fitted, scores = done.fitted, done.scores
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, frame in scores.items():
            run.log_metrics({f"{part}_{metric}": value for metric, value in measure(conf.task, frame).items()})
            (values,) = resampled(conf.task, [frame])
            if part == judged_part(scores):
                values = done.chance.widened(values, run_name(method.name, fitted.embedding.dimension))
            for metric, drawn in values.items():
                found = interval(drawn, n_independent(frame))
                if np.isfinite(found.low):
                    run.log_metrics({f"{part}_{metric}_low": found.low, f"{part}_{metric}_high": found.high})
            frame.write_parquet(folder / scores_file(part))
        save_fitted(fitted, method.name, conf, run.run_id, folder)
        losses = {loss: run.history[loss] for loss in _LOSSES if loss in run.history}
        kept = {name: fitted.chosen.get(name) for name in _KEPT}
        _draw(fitted.embedding, method.name, conf.name, losses, kept, folder)
        run.log_folder(folder)


def redraw(method: str, conf: Dataset, vocabulary: Vocabulary, run: FinishedRun, tracker: Tracker) -> None:
    """Label the tokens of a finished run as today, and draw its pictures again, if labels or code were others.

    Args:
        method: of the run's fit.
        conf: the dataset.
        vocabulary: today's; its tokens are those of the run, its labels may be others.
        run: to be drawn.
        tracker: the dataset's MLflow experiment.
    """
    if run.tags.get(PICTURES_KEY) == pictures_key(vocabulary):
        return
    losses = {loss: values for loss in _LOSSES if (values := tracker.history(run.run_id, loss))}
    embedding = replace(Embedding.load(tracker.file(run.run_id, EMBEDDING_FILE)), vocabulary=vocabulary)
    kept = {name: statistics.median_low(found) for name in _KEPT if (found := selected(run.params, name))}
    with tempfile.TemporaryDirectory() as folder:
        embedding.save(Path(folder) / EMBEDDING_FILE)
        _draw(embedding, method, conf.name, losses, kept, Path(folder))
        tracker.keep(run.run_id, Path(folder), {PICTURES_KEY: pictures_key(vocabulary)})


def selected(params: Mapping[str, str], name: str) -> list[float]:
    """The number that validation selected under this name in each fold; [] if the method has nothing such to select.

    >>> selected({"selected.epochs": "30, 25"}, "epochs"), selected({}, "interpolation")
    ([30, 25], [])
    """
    return [json.loads(value) for value in params.get(f"selected.{name}", "").split(", ") if value]


def pictures_key(vocabulary: Vocabulary) -> str:
    """A key that changes with the labels of the tokens and with the code that draws the pictures of a run."""
    return key_of([vocabulary.fingerprint_with_labels, code_version("pipeline.pictures.figures")])


def _draw(
    embedding: Embedding,
    method: str,
    dataset: str,
    losses: Mapping[str, list[float]],
    kept: Mapping[str, float | None],
    folder: Path,
) -> None:
    """Draw the map and the lengths of an embedding that has a latent space, and the losses of a training."""
    title = f"{dataset}: {run_name(method, embedding.dimension)}"
    if estimator_type(method).is_swept:
        draw_map(embedding, title, folder / "map.png")
        draw_norms(embedding, title, folder / "norms.png")
    if losses:
        draw_losses(losses, title, folder / "losses.png", kept.get("epochs"), kept.get(INTERPOLATION) or 1.0)


def vocabulary_size(tracker: Tracker, fit: Fit) -> int:
    """V, the number of tokens in a fit's embedding."""
    path = tracker.file(fit.run_id, EMBEDDING_FILE)
    rows: int = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    return rows


def split_in_words(tracker: Tracker, fits: Sequence[Fit], conf: Dataset) -> str | None:
    """How time or groups divide what fits learn from and what they are tested on, in sentences; None if they do not.

    With a time it is told where the embedding has learned an order to which the baselines are blind.
    """
    if not conf.split.by_time and conf.split.group is None:
        return None
    order = " The learned embedding goes by the order of the tokens too; to the baselines they are bags."
    has_order = any(goes_by_order(tracker, fit) for fit in fits)
    return tracker.param(fits[0].run_id, "split.in_words") + (order if has_order else "")


def goes_by_order(tracker: Tracker, fit: Fit) -> bool:
    """Whether a fit has learned the order of lists, because validation preferred that."""
    return f"selected.{ORDERED}" in tracker.params(fit.run_id)


def load_scores(tracker: Tracker, fits: Sequence[Fit], part: str) -> list[pl.DataFrame]:
    """The scores of each held-out example of a part, one frame for each fit; [] if a fit has none of the part."""
    if not all(any(name.startswith(f"{part}_") and not name.endswith("_loss") for name in fit.metrics) for fit in fits):
        return []
    return [pl.read_parquet(tracker.file(fit.run_id, scores_file(part)), glob=False) for fit in fits]


def recorded_scores(tracker: Tracker, run_id: str, part: str) -> pl.DataFrame | None:
    """The scores of each held-out example of a part that a run keeps; None if it keeps none."""
    if not tracker.has_file(run_id, scores_file(part)):
        return None
    return pl.read_parquet(tracker.file(run_id, scores_file(part)), glob=False)
