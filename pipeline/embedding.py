"""The input of every fit, a Problem, and its results: an Embedding, and a Fitted that scores with it.

They look the same whichever method made them. How an embedding is learned does not belong here.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.config.size import Size
from pipeline.errors import PipelineError
from pipeline.examples.example_set import ExampleSet
from pipeline.similarity.nearest import similarities
from pipeline.similarity.stability import Stability
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Embedding:
    """Vectors of tokens: row i of the matrix is the vector of token i in a latent space of D dimensions."""

    vocabulary: Vocabulary
    matrix: npt.NDArray[np.float32]  # (V, D)
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Where it comes from: dataset, method, dimension, MLflow run, and the fingerprint of the vocabulary."""
    stability: Stability | None = None
    """How far the nearest tokens hold; None where no replicas were fitted."""
    drift: npt.NDArray[np.float32] | None = None
    """(V,) how far each token has moved since the fit before / the mean length, NaN if new; None without one before."""

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.vocabulary):
            raise ValueError(f"{self.matrix.shape} is not one row for each of {len(self.vocabulary)} tokens")

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    @property
    def counts(self) -> npt.NDArray[np.uint32]:
        """(V,) how often each token occurs in the training examples."""
        return self.vocabulary.tokens["count"].to_numpy()

    def most_frequent_first(self) -> "Embedding":
        """The same with the tokens as people look at them, the most frequent first, whatever their integers are."""
        order = self.vocabulary.by_count
        if (order[1:] > order[:-1]).all():
            return self
        stability = self.stability and self.stability.reordered(order)
        drift = None if self.drift is None else self.drift[order]
        vocabulary = Vocabulary.of_frame(self.vocabulary.tokens[order])
        return Embedding(vocabulary, self.matrix[order], self.provenance, stability, drift)

    def neighbours(self, token: str, k: int = 10) -> pl.DataFrame:
        """The k tokens nearest to a token, nearest first: by cosine, in which rare tokens count for less.

        Up to D = 3 they are those at the smallest distance; see `similarity.nearest`.

        Returns:
            A frame with the columns token, label, count, cosine, and where replicas were fitted also support: in how
            many of them it is among the 10 nearest, null for a token that is not among those of this fit.

        Raises:
            PipelineError: the token is not in the vocabulary.
        """
        place = self.vocabulary.index(token)
        closeness, cosine = similarities(self.matrix, self.counts, self.matrix[place])
        order = np.argsort(-closeness, kind="stable")
        nearest = order[order != place][:k]
        found: pl.DataFrame = self.vocabulary.tokens[nearest].with_columns(cosine=pl.Series(cosine[nearest]))
        support = None if self.stability is None else self.stability.support_of(place, nearest)
        return found if support is None else found.with_columns(support=pl.Series(support, dtype=pl.UInt8))

    def save(self, path: str | Path) -> None:
        """Write Parquet: one row per token with the columns of `schemas.EmbeddingRows`; provenance as its metadata."""
        vectors = pl.Series("vector", self.matrix.astype(np.float32), dtype=pl.Array(pl.Float32, self.dimension))
        of_replicas = [] if self.stability is None else self.stability.columns()
        moved = [] if self.drift is None else [pl.Series("drift", self.drift, pl.Float32).fill_nan(None)]
        told = {
            "vocabulary": self.vocabulary.fingerprint_with_labels,
            "provenance": json.dumps(dict(self.provenance)),
            "replicas": str(0 if self.stability is None else self.stability.replicas),
        }
        self.vocabulary.tokens.with_columns(vectors, *of_replicas, *moved).write_parquet(path, metadata=told)

    @classmethod
    def load(cls, path: str | Path) -> "Embedding":
        """Read what `save` wrote.

        Raises:
            PipelineError: the file has no provenance, or its tokens are not those that were saved.
        """
        metadata = pl.read_parquet_metadata(path)
        if "provenance" not in metadata:
            raise PipelineError(f"{path}: was not written by this pipeline: it has no provenance.")
        frame = pl.read_parquet(path, glob=False)
        vocabulary = Vocabulary.of_frame(frame.select("token", "label", "count"))
        if vocabulary.fingerprint_with_labels != metadata["vocabulary"]:
            raise PipelineError(f"{path}: its tokens are not those that were saved: the file was changed.")
        n = int(metadata.get("replicas", "0"))
        stability = Stability.of_columns(frame, n) if n else None
        drift = frame["drift"].to_numpy() if "drift" in frame.columns else None
        return cls(vocabulary, frame["vector"].to_numpy(), json.loads(metadata["provenance"]), stability, drift)


def nowhere(vocabulary: Vocabulary) -> Embedding:
    """A placeholder embedding for a method without a latent space: D = 1 and every token at 0."""
    return Embedding(vocabulary, np.zeros((len(vocabulary), 1), np.float32))


class Fitted(Protocol):
    """A finished fit, whichever method made it."""

    @property
    def embedding(self) -> Embedding:
        """The vectors of the tokens."""
        ...

    @property
    def weights(self) -> Mapping[str, Array]:
        """All arrays that `score` needs, by name; they are saved, and the fit is restored from them."""
        ...

    @property
    def chosen(self) -> Mapping[str, Any]:
        """Settings that validation chose, such as the number of epochs: enough to repeat the fit on other examples."""
        ...

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Score examples.

        Args:
            inputs: (N, V) with 1 for each token that goes in.
            dense: (N, F) dense features, NaN where missing; F is 0 for the task of missing tokens.

        Returns:
            The predictions: (N, V) a logit for each token, (N,) a number for each example in the target's unit, or
            (N, C) the probability of each class.
        """
        ...


@dataclass(frozen=True)
class Factors:
    """The scores of a fit as products of two small matrices: `score(inputs)` is `queries(inputs) @ items.T`."""

    items: npt.NDArray[np.float32]  # (V, E)
    queries: Callable[[sparse.csr_matrix], npt.NDArray[np.float32]]
    """Makes the factors (N, E) of lists (N, V)."""
    device: str = "cpu"
    """PyTorch's name of the device on which the scores of many lists are made at once."""


@runtime_checkable
class Factored(Protocol):
    """A finished fit whose scores may be such products, so that the best tokens can be found without scoring all."""

    @property
    def factors(self) -> Factors | None:
        """The products; None if this fit's answers are none."""
        ...


def factors_of(fitted: Fitted) -> Factors | None:
    """The products that the scores of a fit are, or None."""
    return fitted.factors if isinstance(fitted, Factored) else None


class Position(NamedTuple):
    """Which fit of how many is running, counted from 1."""

    number: int
    of: int
    end: float | None = None
    """When the last of them will be done, as `time.monotonic` counts; None where nothing tells."""


@dataclass(frozen=True)
class Watch:
    """Who is told about the progress of a long training, and where its state is saved."""

    name: str = "training"
    """What lines of progress begin with; the folder of its checkpoints is named after it."""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger(__name__))
    """Receives lines of progress if there is no terminal."""
    on_epoch: Callable[[Mapping[str, float], int], None] = lambda losses, epoch: None
    """Called with the losses of each epoch by name, and its number, counted from 1."""
    on_resume: Callable[[float], None] = lambda seconds: None
    """Called with the seconds that an earlier process spent, when this one resumes."""
    checkpoints: Path | None = None
    """A folder for the state of a long training; the same fit resumes from the state that it finds there."""
    position: Position | None = None
    shows_progress: bool = True  # in a bar, with its position, or in lines


@dataclass(frozen=True)
class Problem:
    """Everything that a fit gets as its input."""

    training: ExampleSet
    vocabulary: Vocabulary
    conf: Dataset
    """The dataset; resolved, if the fit has settings whose defaults depend on the data."""
    dimension: int | None = None
    """D; None for a method without a D to sweep."""
    validation: ExampleSet | None = None
    """Examples on which settings are chosen; without any, a fixed choice is made, such as the middle value."""
    chosen: Mapping[str, Any] | None = None
    """Settings that validation chose in an earlier fit; they are used again, on other examples."""
    watch: Watch = Watch()
    start: Mapping[str, Array] | None = None
    """Weights and scales of an earlier fit, for this vocabulary, from which a network goes on; not used by others."""


class Estimator(Protocol):
    """A method that can be fitted: the learned embedding, or a baseline."""

    @property
    def name(self) -> str:
        """Its name in the runs and the tables."""

    @property
    def has_chance(self) -> bool:
        """Whether another seed gives another fit."""

    def fitted_at(self) -> tuple[int | None, ...]:
        """Each D to fit, once conf is resolved; None for a method without a D to sweep."""

    def settings(self) -> dict[str, Any]:
        """Its own settings that can change the result, as plain data."""

    def memory(self, size: Size, dimension: int | None) -> int:
        """Bytes of memory that a fit needs at its peak, about."""

    def takes_one_thread(self, size: Size, dimension: int | None) -> bool:
        """Whether a fit takes one thread nearly all the time, so that others can be fitted beside it."""

    def fit(self, problem: Problem) -> Fitted:
        """Fit on the training examples; where a setting has several values, validation chooses."""
