"""What a run keeps of its fit: metrics with intervals, scores, embedding, weights, pictures."""

import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.config.dataset import Dataset
from pipeline.config.training import INTERPOLATION
from pipeline.embedding import Embedding, Estimator
from pipeline.estimators import estimator_type, run_name
from pipeline.evaluation.bootstrap import interval, n_independent, resampled
from pipeline.evaluation.metrics import judged_part, measure
from pipeline.experiment.cache_key import key_of
from pipeline.experiment.code_version import code_version
from pipeline.experiment.cross_fitting import CrossFitted
from pipeline.experiment.recorded import selected
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
                ends = interval(drawn, n_independent(frame))
                if np.isfinite(ends.low):
                    run.log_metrics({f"{part}_{metric}_low": ends.low, f"{part}_{metric}_high": ends.high})
            frame.write_parquet(folder / scores_file(part))
        save_fitted(fitted, method.name, conf, run.run_id, folder)
        losses = {loss: run.history[loss] for loss in _LOSSES if loss in run.history}
        chosen = {name: fitted.chosen.get(name) for name in _KEPT}
        _draw(fitted.embedding, method.name, conf.name, losses, chosen, folder)
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
    chosen = {name: statistics.median_low(of_folds) for name in _KEPT if (of_folds := selected(run.params, name))}
    with tempfile.TemporaryDirectory() as folder:
        embedding.save(Path(folder) / EMBEDDING_FILE)
        _draw(embedding, method, conf.name, losses, chosen, Path(folder))
        tracker.keep(run.run_id, Path(folder), {PICTURES_KEY: pictures_key(vocabulary)})


def pictures_key(vocabulary: Vocabulary) -> str:
    """A key that changes with the labels of the tokens and with the code that draws the pictures of a run."""
    return key_of([vocabulary.fingerprint_with_labels, code_version("pipeline.pictures.figures")])


def _draw(
    embedding: Embedding,
    method: str,
    dataset: str,
    losses: Mapping[str, list[float]],
    chosen: Mapping[str, float | None],
    folder: Path,
) -> None:
    """Draw the map and the lengths of an embedding that has a latent space, and the losses of a training."""
    title = f"{dataset}: {run_name(method, embedding.dimension)}"
    if estimator_type(method).is_swept:
        draw_map(embedding, title, folder / "map.png")
        draw_norms(embedding, title, folder / "norms.png")
    if losses:
        draw_losses(losses, title, folder / "losses.png", chosen.get("epochs"), chosen.get(INTERPOLATION) or 1.0)
