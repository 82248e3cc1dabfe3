"""The embedding as features of another model: a transformer of scikit-learn over a dataset's champion."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.base import BaseEstimator, TransformerMixin

import pipeline
from pipeline.errors import PipelineError
from pipeline.inference.model import Model
from pipeline.inference.predictor import Predictor


class EmbeddingFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns lists of tokens, or records, into D features each: the place of the list in the latent space.

    It fits into a `Pipeline` and into a `ColumnTransformer`. Nothing is learned from what it is fitted with: the
    embedding was learned before. Other records than those that the embedding was learned from tell whether it helps.

    >>> EmbeddingFeatures("homes")
    EmbeddingFeatures(model='homes')
    """

    def __init__(self, model: Any = "movies") -> None:
        """Take the embedding of a model.

        Args:
            model: a dataset, whose champion is meant, or what else `pipeline.load` takes; or a model that is loaded.
        """
        self.model = model

    def fit(self, records: Any, y: Any = None) -> Self:
        """Load the model; the records are only looked at."""
        self.model_: Model = self.model if isinstance(self.model, Model) else pipeline.load(self.model)
        self.n_features_in_ = np.shape(records)[1] if np.ndim(records) == 2 else 1
        return self

    def transform(self, records: Any) -> npt.NDArray[np.float32]:
        """(N, D) the means of the vectors of the tokens; 0 for a record without a known one.

        Args:
            records: a pandas or Polars frame with columns of the source; or, of the task of missing tokens, a column of
                lists of tokens or labels.

        Raises:
            PipelineError: a column is not of the source.
        """
        if isinstance(self.model_, Predictor):
            return self.model_.places(_frame(records))
        if hasattr(records, "columns"):
            (name,) = records.columns
            records = records[name]
        return self.model_.embed([list(one) for one in np.asarray(records, object).ravel()])

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """The names of the D features."""
        return np.array([f"embedding_{i}" for i in range(self.model_.embedding.dimension)], object)


def _frame(records: Any) -> pl.DataFrame:
    if isinstance(records, pl.DataFrame):
        return records
    if hasattr(records, "columns"):
        return pl.from_pandas(records)
    raise PipelineError("give a frame of pandas or Polars: its columns say which words are which.")
