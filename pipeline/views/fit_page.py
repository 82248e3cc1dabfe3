"""The interactive page of one fit, and its map in the same colours: any process can draw them, from files alone."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.fits import STABILITY, Fit
from pipeline.experiment.tracking import Tracker
from pipeline.inference.saved_fit import EMBEDDING_FILE, load_fitted
from pipeline.pictures.colours import Colour, Numbers, colours, of_classes
from pipeline.pictures.figures import draw_map
from pipeline.pictures.projection import neighbourhoods, plane, space
from pipeline.similarity import replica_places
from pipeline.views.marginal_effects import token_effects
from pipeline.views.pages.latent_space import latent_space_page, n_shown

PAGE = "latent_space.html"


@dataclass(frozen=True)
class Sources:
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
            None if conf.task.predicts_tokens else tracker.folder(fit.run_id),
        )

    @property
    def embedded(self) -> Embedding:
        """The embedding, the most frequent tokens first."""
        return Embedding.load(self.embedding).most_frequent_first()

    def turned(self, n: int) -> npt.NDArray[np.float32] | None:
        """(R, n, D) where each replica puts the n most frequent tokens; None without replicas."""
        return None if self.places is None else replica_places.load(self.places)[:, :n]


@dataclass(frozen=True)
class FitPage:
    """The page of a fit, which any process can draw."""

    conf: Dataset
    sources: Sources
    is_best: bool
    beside: Sources | None
    about: pl.DataFrame
    categories: Mapping[str, Sequence[str]]
    """Those that have a colour on the pages of all fits, by the column that describes the tokens."""
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
        of_tokens = colours(about.head(n), counts, embedding.matrix[:n], stability, self.categories)
        by = [*self._effect(n), *of_tokens]
        title = f"{conf.name}: {self.sources.name}"
        page = latent_space_page(embedding, title, panels, about, by, conf.seed)
        (folder / PAGE).write_text(page, encoding="utf-8")
        draw_map(embedding, title, folder / "map.png", by[0] if len(by) > 1 else None)
        log.info(f"{title} can be looked at: {PAGE} in its run")

    def _effect(self, n: int) -> list[Colour]:
        """What the n most frequent tokens do to the prediction, if it is not of tokens."""
        task = self.conf.task
        if self.sources.fitted is None:
            return []
        fitted, rows = load_fitted(self.sources.fitted), self.examples.everything()
        among = fitted.embedding.vocabulary.by_count
        effects = token_effects(fitted, rows, task, self.conf.seed, n, among)
        name, values = task.effects_in_words(effects, rows.classes)
        if isinstance(values, list):
            often = np.argsort(-np.bincount(rows.target.astype(int), minlength=len(rows.classes)), kind="stable")
            return [of_classes(name, values, [rows.classes[i] for i in often])]
        return [Numbers(name, values, "diverging", [task.effect_text(value) for value in values])]
