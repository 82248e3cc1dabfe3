"""Contests in an MLflow of their own."""

import logging
from dataclasses import dataclass

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.examples.encoding import encode
from pipeline.experiment.artifacts import load_scores, vocabulary_size
from pipeline.experiment.champion import Champion, crown
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.model_registry import ModelRegistry
from pipeline.experiment.tracking import Tracker
from pipeline.records.pairs import pair_table
from pipeline.vocabulary.vocabulary import build_vocabulary

LOG = logging.getLogger("test")


@dataclass(frozen=True)
class Shop:
    """Where contests are held: an MLflow of its own."""

    tracker: Tracker
    uri: str

    def contest(self, conf: Dataset, records: pl.DataFrame, *methods: str) -> Champion:
        """Fit these methods on the records, and crown the champion."""
        vocabulary = build_vocabulary(pair_table(records.lazy(), conf), conf)
        examples = encode(records.lazy(), vocabulary, conf)
        fits = [fit for method in methods for fit in fit_all(method, conf, vocabulary, examples, self.tracker).fits]
        scores = {part: load_scores(self.tracker, fits, part) for part in ("validation", "test")}
        table = Comparison.of(fits, vocabulary_size(self.tracker, fits[0]), conf.task, scores)
        return crown(conf, table, records.lazy(), vocabulary, examples, self.tracker, LOG)

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.tracker.client, "films")
