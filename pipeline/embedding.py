"""What every fit begins with, a Problem, and ends in: an Embedding, and a Fitted that scores with it.

Nothing after the fit can tell who made it. How an embedding is learned does not belong here.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.examples.example_set import ExampleSet
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Embedding:
    """Vectors of tokens: row i of the matrix is token i in a latent space of D dimensions."""

    vocabulary: Vocabulary
    matrix: npt.NDArray[np.float32]  # (V, D)
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Who made it: dataset, method, dimension, and the fingerprints of its inputs."""

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.vocabulary):
            raise ValueError(
                f"a matrix of {self.matrix.shape} has not one row for each of {len(self.vocabulary)} tokens"
            )

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    def neighbours(self, token: str, k: int = 10) -> pl.DataFrame:
        """The k tokens whose vectors have the smallest angle to that of `token` (cosine similarity), nearest first.

        Returns:
            token, label, count, cosine.

        Raises:
            PipelineError: the token is not in the vocabulary.
        """
        place = self.vocabulary.index(token)
        lengths = np.linalg.norm(self.matrix, axis=1)
        unit = self.matrix / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
        cosine = unit @ unit[place]
        order = np.argsort(-cosine, kind="stable")
        nearest = order[order != place][:k]
        found: pl.DataFrame = self.vocabulary.tokens[nearest]
        return found.with_columns(cosine=pl.Series(cosine[nearest]))

    def save(self, path: Path) -> None:
        """Write Parquet: token, label, count, vector (D float32), one row a token; the provenance is its metadata."""
        vectors = pl.Series("vector", self.matrix.astype(np.float32), dtype=pl.Array(pl.Float32, self.dimension))
        self.vocabulary.tokens.with_columns(vectors).write_parquet(
            path,
            metadata={
                "vocabulary": self.vocabulary.fingerprint,
                "provenance": json.dumps(dict(self.provenance)),
            },
        )

    @classmethod
    def load(cls, path: Path) -> "Embedding":
        """Read what `save` wrote.

        Raises:
            PipelineError: the file has no provenance, or its tokens are not those that were saved.
        """
        metadata = pl.read_parquet_metadata(path)
        if "provenance" not in metadata:
            raise PipelineError(f"{path}: was not written by this pipeline: it has no provenance.")
        frame = pl.read_parquet(path)
        vocabulary = Vocabulary.of_frame(frame.drop("vector"))
        vocabulary.require(metadata["vocabulary"], str(path))
        return cls(vocabulary, frame["vector"].to_numpy(), json.loads(metadata["provenance"]))


def nowhere(vocabulary: Vocabulary) -> Embedding:
    """For a method without a latent space: D = 1 and every token at 0."""
    return Embedding(vocabulary, np.zeros((len(vocabulary), 1), np.float32))


class Fitted(Protocol):
    """A finished fit, whoever made it."""

    @property
    def embedding(self) -> Embedding:
        """The vectors of the tokens."""
        ...

    @property
    def weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """All arrays that `score` needs, by name: enough to make this object again."""
        ...

    @property
    def chosen(self) -> Mapping[str, Any]:
        """What validation decided, such as the number of epochs: enough to fit the same on other rows."""
        ...

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Score examples.

        Args:
            inputs: (N, V) 1 for each token that goes in.
            dense: (N, F) dense features, NaN where missing; F is 0 for missing tokens.

        Returns:
            What the task predicts: (N, V) a logit for each token, (N,) a number for each example, in the target's unit,
            or (N, C) the probability of each class.
        """
        ...


@dataclass(frozen=True)
class Watch:
    """Who hears of a training that takes long, and where its state is kept meanwhile."""

    name: str = "training"
    """What lines of progress begin with."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger(__name__))
    """Gets lines of progress where there is no terminal."""
    on_epoch: Callable[[Mapping[str, float], int], None] = lambda losses, epoch: None
    """Gets the losses of each epoch by name, and the epoch from 1."""
    on_resume: Callable[[float], None] = lambda seconds: None
    """Gets the seconds that an earlier process had spent, where this one goes on."""
    checkpoints: Path | None = None
    """A folder for the state of a long training; the same fit goes on from what it finds there."""


@dataclass(frozen=True)
class Problem:
    """What a fit gets to solve."""

    training: ExampleSet
    vocabulary: Vocabulary
    conf: Dataset
    """Resolved, where the fit has settings that the data decides."""
    dimension: int | None = None
    """D; None where the method has none to sweep."""
    validation: ExampleSet | None = None
    """The examples that choose; without any a middle setting, or the last epoch, is kept."""
    chosen: Mapping[str, Any] | None = None
    """What validation chose before: the same is fitted again, on other examples."""
    watch: Watch = Watch()


class Estimator(Protocol):
    """A way to a fit: the learned embedding, or a baseline."""

    @property
    def name(self) -> str:
        """What the runs and the tables call it."""
        ...

    def fitted_at(self) -> tuple[int | None, ...]:
        """Each D to fit, of a conf that is resolved; None where there is none to sweep."""
        ...

    def settings(self) -> dict[str, Any]:
        """The settings of its own that can change the result, as plain data."""
        ...

    def fit(self, problem: Problem) -> Fitted:
        """Fit on the training examples; where a setting has several values, validation chooses."""
        ...
