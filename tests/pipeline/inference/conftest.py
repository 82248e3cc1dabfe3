"""Models of the planted data, as a run makes them, but without MLflow."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.estimators import estimator
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.examples.weight_scale import WeightScale
from pipeline.experiment.cross_fitting import CrossFit
from pipeline.experiment.piece_queue import PieceQueue
from pipeline.inference.described_tokens import described
from pipeline.inference.model import Model, model_type
from pipeline.inference.saved_fit import Material, save_fitted
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import encoded_from


@dataclass(frozen=True)
class Made:
    """A model, and what it was made from."""

    model: Any
    conf: Dataset
    vocabulary: Vocabulary
    examples: SparseExamples
    scores: Mapping[str, pl.DataFrame]
    """What was measured on the examples of each held-out part."""


@pytest.fixture
def put_to_work(tmp_path: Path) -> Callable[..., Made]:
    """Fit a method on records, and make a model of the fit."""

    def make(
        conf: Dataset,
        records: pl.DataFrame,
        method: str = "pca",
        name: str = "model",
        written: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> Made:
        vocabulary, examples = encoded_from(records, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        how, log = estimator(method, conf), logging.getLogger("test")
        with PieceQueue() as queue:
            folds = CrossFit(queue, how, method, conf, vocabulary, examples, how.fitted_at()[0])
            done = folds.done(lambda *_: None, log)
        fit = tmp_path / f"{name}-fit"
        fit.mkdir()
        save_fitted(done.fitted, method, conf, "run", fit)
        for part, frame in done.scores.items():
            frame.write_parquet(fit / f"{part}_examples.parquet")
        about = vocabulary.beside(described(records.lazy(), conf))
        facts = {"name": conf.name, "fit": method, "said": f"{method}.", **WeightScale.of(examples.about).facts()}
        model_type(conf).write(tmp_path / name, Material(fit, about, records.lazy(), dict(written)), facts)
        return Made(Model.load(tmp_path / name), conf, vocabulary, examples, done.scores)

    return make
