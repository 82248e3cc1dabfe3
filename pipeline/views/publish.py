"""The pages of a dataset, stored with their runs.

The interactive page of a fit is made again only if something on it has changed; the report is made every time.
"""

import datetime as dt
import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.training import INTERPOLATION
from pipeline.embedding import Embedding
from pipeline.estimators import EMBEDDING, PCA, estimator, run_name
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.artifacts import selected
from pipeline.experiment.code_version import code_version
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import STABILITY, Fit
from pipeline.experiment.memory import size_of
from pipeline.experiment.parallel import in_parallel, processes_for
from pipeline.experiment.replicas import REPLICAS_KEY
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE, load_fitted
from pipeline.pictures.colours import Colour, Numbers, colours, of_classes
from pipeline.pictures.figures import draw_map
from pipeline.pictures.projection import SHOWN, neighbourhoods, plane, space
from pipeline.similarity import replica_places
from pipeline.tasks.target import TargetTask
from pipeline.views.kept_epoch import kept_in_words
from pipeline.views.marginal_effects import telling_tokens, token_effects
from pipeline.views.pages.latent_space import latent_space_page, n_shown
from pipeline.views.pages.report import TELLING, Report, Shown, report_page
from pipeline.vocabulary.vocabulary import Vocabulary

PAGE = "latent_space.html"


def draw_pages(
    conf: Dataset,
    comparison: Comparison,
    described: pl.DataFrame,
    examples: SparseExamples,
    tracker: Tracker,
    log: logging.Logger,
) -> dict[str, bool]:
    """Put an interactive page of the latent space into the run of each fit that has one.

    Args:
        conf: the dataset.
        comparison: of all fits; the best learned one gets a map of neighbourhoods too, which takes longest.
        described: what is shown with each token, as returned by `token_texts.described`.
        examples: the examples on which the effects of tokens on a prediction are measured.
        tracker: of the runs.
        log: gets a line for each page.

    Returns:
        The name of each fit with a page, and whether the page is new.
    """
    swept, best = comparison.swept, comparison.best
    vocabulary = _Sources.of(swept[0], conf, tracker).embedded.vocabulary
    about = vocabulary.beside(described)
    baseline = {fit.dimension: fit for fit in swept if fit.method == PCA}
    made, waiting = {}, []
    for fit in sorted(swept, key=lambda fit: fit.run_id != best.run_id):  # the one that takes longest is begun first
        is_best = fit.run_id == best.run_id
        beside = None if conf.task.predicts_tokens or fit.method == PCA else baseline.get(fit.dimension)
        key = _key(fit, is_best, beside, vocabulary, about, tracker.tag(fit.run_id, REPLICAS_KEY))
        made[fit.name] = tracker.tag(fit.run_id, "page_key") != key
        if made[fit.name]:
            others = _Sources.of(beside, conf, tracker) if beside else None
            sources = _Sources.of(fit, conf, tracker)
            waiting.append((fit, key, _Page(conf, sources, is_best, others, about.head(SHOWN), examples)))
    learned = conf.resolved(examples.n_training, len(vocabulary))
    processes = processes_for(estimator(EMBEDDING, learned), size_of(learned, examples), best.dimension)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / fit.run_id for fit, _, _ in waiting]
        pieces = [partial(page.draw, folder) for (_, _, page), folder in zip(waiting, folders, strict=True)]
        in_parallel(pieces, f"{conf.name}: pages", log, processes)
        for (fit, key, _), folder in zip(waiting, folders, strict=True):
            tracker.keep(fit.run_id, folder, {"page_key": key})
    return {fit.name: made[fit.name] for fit in swept}


def write_report(
    conf: Dataset,
    comparison: Comparison,
    examples: SparseExamples,
    tracker: Tracker,
    links: Mapping[str, str],
) -> tuple[Report, Fit]:
    """Make the report of a dataset and put it into the run of the fit that it shows, the best learned one.

    Args:
        conf: the dataset.
        comparison: of all fits; their pages have been drawn already.
        examples: the sparse examples of the dataset.
        tracker: of the runs.
        links: addresses by name, for the end of the report.

    Returns:
        The report, and the fit that it shows.
    """
    best = comparison.best
    beside = {fit.name: fit for fit in comparison.fits}.get(run_name(PCA, best.dimension))
    folder = tracker.folder(best.run_id)
    embedding = _Sources.of(best, conf, tracker).embedded
    pictures = {f"{best.name}: names stand where there is room, those of frequent tokens first": folder / "map.png"}
    if beside:
        pictures[f"{beside.name}, for comparison"] = tracker.file(beside.run_id, "map.png")
    pictures[f"{best.name}: how far a token lies from the origin, against its count"] = folder / "norms.png"
    if (folder / "losses.png").exists():
        pictures[f"{best.name}: the losses by epoch. {_kept(conf, comparison, tracker)}"] = folder / "losses.png"
    shown = Shown(
        best.name,
        embedding,
        plane(embedding),
        (folder / PAGE).read_text(encoding="utf-8"),
        pictures,
        _Sources.of(beside, conf, tracker).embedded if beside else None,
        telling_tokens(load_fitted(folder), examples, conf.task, conf.seed, SHOWN, TELLING)
        if isinstance(conf.task, TargetTask)
        else None,
    )
    size = len(embedding.vocabulary)
    with tempfile.TemporaryDirectory() as name:
        sweep = Path(name) / "sweep.png"
        comparison.draw_sweep(sweep)
        report = report_page(
            conf.resolved(examples.n_training, size),
            examples,
            comparison,
            sweep if comparison.metrics else None,
            shown,
            links,
            f"Made {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC by Embedding Pipeline {version('embedding-pipeline')}.",
        )
        sweep.unlink(missing_ok=True)
        report.save(Path(name))
        tracker.keep(best.run_id, Path(name), {})
    return report, best


def _kept(conf: Dataset, comparison: Comparison, tracker: Tracker) -> str:
    """Why the fit that the report shows keeps the epochs that it keeps."""
    run_id, metric = comparison.best.run_id, next(iter(comparison.metrics), conf.task.metrics[0].name)
    kept, shares = (selected(tracker.params(run_id), name) for name in ("epochs", INTERPOLATION))
    return kept_in_words(kept, tracker.history(run_id, "validation_loss"), conf.training.patience, metric, shares)


def _key(
    fit: Fit, is_best: bool, beside: Fit | None, vocabulary: Vocabulary, about: pl.DataFrame, replicas: str | None
) -> str:
    shown = [vocabulary.fingerprint_with_labels, about.columns, replicas]
    decides = [fit.run_id, is_best, beside and beside.run_id, *shown, code_version(__name__)]
    rows = about.hash_rows(seed=0).to_numpy().tobytes() if about.width else b""
    return hashlib.sha256(json.dumps(decides).encode() + rows).hexdigest()[:16]


@dataclass(frozen=True)
class _Sources:
    """The files of a fit that its page is made of."""

    name: str
    embedding: Path
    places: Path | None
    """Where its replicas put its tokens; None without replicas."""
    fitted: Path | None
    """The folder of the fit, where it predicts something else than tokens."""

    @classmethod
    def of(cls, fit: Fit, conf: Dataset, tracker: Tracker) -> Self:
        """Fetch them, if they are elsewhere."""
        return cls(
            fit.name,
            tracker.file(fit.run_id, EMBEDDING_FILE),
            tracker.file(fit.run_id, replica_places.FILE) if STABILITY in fit.metrics else None,
            tracker.folder(fit.run_id) if isinstance(conf.task, TargetTask) else None,
        )

    @property
    def embedded(self) -> Embedding:
        """The embedding, the most frequent tokens first."""
        return Embedding.load(self.embedding).most_frequent_first()

    def turned(self, n: int) -> npt.NDArray[np.float32] | None:
        """(R, n, D) where each replica puts the n most frequent tokens; None without replicas."""
        return None if self.places is None else replica_places.load(self.places)[:, :n]


@dataclass(frozen=True)
class _Page:
    """The page of a fit, which any process can draw."""

    conf: Dataset
    sources: _Sources
    is_best: bool
    beside: _Sources | None
    about: pl.DataFrame
    examples: SparseExamples

    def draw(self, folder: Path, log: logging.Logger, shows_progress: bool) -> None:
        """Write the page into a new folder, and the map in the same colours."""
        folder.mkdir()
        conf, about, embedding = self.conf, self.about, self.sources.embedded
        n = n_shown(embedding)
        where = self.sources.turned(n)
        panels = [[plane(embedding, n, where)]]
        if embedding.dimension >= 3:
            panels.append([space(embedding, n, where)])
        if self.is_best and (near := neighbourhoods(embedding, conf.seed, n)):
            panels.insert(0, [near])
        if self.beside and embedding.dimension >= 3:
            own, other = space(embedding, n, where), space(self.beside.embedded, n, self.beside.turned(n))
            panels.insert(0, [replace(own, name=self.sources.name), replace(other, name=self.beside.name)])
        counts = embedding.vocabulary.tokens["count"].to_numpy()[:n]
        stability = None if embedding.stability is None else embedding.stability.scores[:n]
        of_tokens = colours(about.head(n), counts, embedding.matrix[:n], stability)
        by = [*self._effect(n), *of_tokens]
        title = f"{conf.name}: {self.sources.name}"
        page = latent_space_page(embedding, title, panels, about, by, conf.seed)
        (folder / PAGE).write_text(page, encoding="utf-8")
        draw_map(embedding, title, folder / "map.png", by[0] if len(by) > 1 else None)
        log.info(f"{title} can be looked at: {PAGE} in its run")

    def _effect(self, n: int) -> list[Colour]:
        """What the n most frequent tokens do to the prediction, if it is not of tokens."""
        task = self.conf.task
        if self.sources.fitted is None or not isinstance(task, TargetTask):
            return []
        fitted, rows = load_fitted(self.sources.fitted), self.examples.everything()
        among = fitted.embedding.vocabulary.by_count
        effects = token_effects(fitted, rows, task, self.conf.seed, n, among)
        name, values = task.effects_in_words(effects, rows.classes)
        if isinstance(values, list):
            often = np.argsort(-np.bincount(rows.target.astype(int), minlength=len(rows.classes)), kind="stable")
            return [of_classes(name, values, [rows.classes[i] for i in often])]
        return [Numbers(name, values, "diverging", [task.effect_text(value) for value in values])]
