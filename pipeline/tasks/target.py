"""Tasks whose answer is a column of the records, a number or a class: what they share."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy.typing as npt
import polars as pl
from pydantic import Field

from pipeline.config.task import Column, Task
from pipeline.config.training import Training
from pipeline.examples.example_set import ExampleSet
from pipeline.records.columns import is_missing

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


class TargetTask(Task):
    """A task whose answer is a column of the records, from the tokens and dense features."""

    network: ClassVar[str] = "pipeline.network.target_network"
    predicts_tokens: ClassVar[bool] = False
    answer_role: ClassVar[str]
    """What the target is, in words."""

    target: str
    """The column to predict."""
    dense: tuple[str, ...] = ()
    """Numeric columns that help to predict, beside the tokens."""

    def named_columns(self) -> list[Column]:
        """The target and the dense features."""
        dense = [Column(f"dense[{i}]", column, "dense feature") for i, column in enumerate(self.dense)]
        return [Column("target", self.target, self.answer_role), *dense]

    def lacks_answer(self, schema: pl.Schema) -> pl.Expr | None:
        """Whether a record has no target."""
        return is_missing(self.target, schema[self.target])

    # what is learned, and back: every method that predicts the target goes this way

    @abstractmethod
    def scale(self, training: ExampleSet) -> dict[str, Array]:
        """Arrays, by name, that tell how a target becomes what is learned; measured on the training examples."""

    @abstractmethod
    def learned(self, target: Array, scale: Weights) -> Array:
        """Targets (N,) as they are learned."""

    @abstractmethod
    def prior(self, scale: Weights) -> Array:
        """(C,) what a model puts out for every example before it has learned."""

    @abstractmethod
    def answers(self, outputs: Array, scale: Weights) -> Array:
        """Outputs (N, C) of a model, or (N,) of one with one, as numbers in the target's unit, or as probabilities."""

    @abstractmethod
    def linear(self, features: Array, learned: Array, scale: Weights) -> tuple[Array, Array]:
        """Coefficients (K,) or (K, C) and intercept of a linear model from features (N, K) to what is learned."""

    @abstractmethod
    def trees(self, **settings: Any) -> Any:
        """scikit-learn's boosted trees for such an answer, not grown yet."""

    @abstractmethod
    def answers_of_trees(self, trees: Any, features: Array, scale: Weights) -> Array:
        """What grown trees answer to features (N, K)."""

    @abstractmethod
    def losses_of_trees(self, trees: Any, features: Array, learned: Array) -> Iterator[Array]:
        """The loss (N,) of each example with 1, 2, ... of the trees."""


class TargetTraining(Training):
    """How a network is trained whose answer is a column of the records."""

    learning_rate: float = Field(0.003, gt=0)
    """Of AdamW at the start; it falls to 0 along a cosine."""
    table_weight_decay: float = Field(0.1, ge=0)
    """Of the table: each step shrinks it by learning rate x this."""
    weight_decay: float = Field(0.2, ge=0)
    """Of the head's matrices."""
    token_dropout: float | None = Field(None, ge=0, lt=1)
    """Share of an example's tokens that is left out at each step. Default: by tokens V and training examples N."""
    hidden: int = Field(128, ge=1)
    """Nodes of each of the head's two layers."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of the head's nodes that is left out at each step."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every default that the data decides.

        About 75 steps an epoch, in batches that are a power of 2 between 32 and 1024; as many epochs as make 2,250
        steps, between 30 and 60; the more tokens for an example, the more dropout: 2V / (2V + N), between .1 and .6.
        """
        size = self.batch_size or min(max(2 ** round(math.log2(max(n_examples / 75, 1))), 32), 1024)
        epochs = self.max_epochs or min(max(30, math.ceil(2250 / math.ceil(n_examples / size))), 60)
        dropout = min(max(2 * n_tokens / (2 * n_tokens + n_examples), 0.1), 0.6)
        chosen: dict[str, float] = {"batch_size": size, "max_epochs": epochs}
        return self.model_copy(update=chosen | ({"token_dropout": dropout} if self.token_dropout is None else {}))
