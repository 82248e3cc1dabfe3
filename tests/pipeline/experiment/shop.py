"""Contests in an MLflow of their own."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.examples.encoding import encode
from pipeline.experiment.champion import Champion, crown
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.last_version import kept_from_last
from pipeline.experiment.model_registry import ModelRegistry
from pipeline.experiment.recorded import load_scores, vocabulary_size
from pipeline.experiment.run import FinishedRun
from pipeline.experiment.tracking import Tracker
from pipeline.records.pairs.builder import pair_table
from pipeline.records.splitting.assignment import assign
from pipeline.vocabulary.counted import Kept
from pipeline.vocabulary.vocabulary import build_vocabulary

LOG = logging.getLogger("test")


@dataclass(frozen=True)
class Shop:
    """Where contests are held: an MLflow of its own."""

    tracker: Tracker
    uri: str

    def contest(
        self,
        conf: Dataset,
        records: pl.DataFrame,
        *methods: str,
        kept: Kept | None = None,
        meanwhile: Callable[[pl.DataFrame], pl.DataFrame] = lambda records: records,
    ) -> Champion:
        """Fit these methods on the records, and crown the champion; some may stay as it was the last time.

        `meanwhile` happens when the contest reads the records.
        """
        table, kept = pair_table(records.lazy(), conf), kept or Kept()
        vocabulary = build_vocabulary(table, conf, assign(table, conf, kept.parts), kept.vocabulary)
        examples = encode(records.lazy(), vocabulary, conf, table, kept.parts)
        fits = fit_all(methods, conf, vocabulary, examples, self.tracker, log=LOG).fits
        scores = {part: load_scores(self.tracker, fits, part) for part in ("validation", "test")}
        table = Comparison.of(fits, vocabulary_size(self.tracker, fits[0]), conf.task, scores)
        read: Any = SimpleNamespace(frame=records.lazy().map_batches(meanwhile), written={})
        return crown(conf, table, read, vocabulary, examples, self.tracker, LOG)

    def tomorrow(self, conf: Dataset, records: pl.DataFrame, *methods: str) -> Champion:
        """The next contest, which keeps what the last one tells."""
        return self.contest(conf, records, *methods, kept=kept_from_last(conf, self.tracker))

    def learned(self) -> FinishedRun:
        """The run of the learned embedding that counts."""
        return self.tracker.current()["embedding D=2"]

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.tracker.client, "films")
