"""What regression and classification share: tasks whose answer is a column of the records, a number or a class."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.section import OneOrMore, different
from pipeline.config.size import Size
from pipeline.config.task import Column, Number, Task
from pipeline.config.training import Training
from pipeline.embedding import Fitted
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import Metric
from pipeline.examples.beside import Beside, numbers_of
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


UNKNOWN_NOISE = 1 / 3
"""The ratio of noise to signal, (1 - R^2) / R^2, that is taken where none is measured."""
UNKNOWN_PENALTY = 0.08
"""The penalties of a linear model that are taken where there is no validation; see `network.linear_model`."""
SOLVED = 4_000_000
"""Numbers in the coordinates that are solved for, at most: more would take more memory than the training."""


class TargetTask(Task):
    """A task that predicts a column of the records from the tokens and the dense features."""

    network: ClassVar[str] = "pipeline.network.target_network"
    predicts_tokens: ClassVar[bool] = False
    answer_role: ClassVar[str]
    """What the target is, in words."""

    target: str
    """The column to predict."""
    dense: Annotated[tuple[str, ...], OneOrMore(), AfterValidator(different)] = ()
    """Numeric columns that help to predict, beside the tokens. A missing value counts as the median of the training
    examples; boosted trees learn from it that it is missing. A file or request to be answered may lack the column. True
    and false count as 1 and 0."""

    @model_validator(mode="after")
    def _not_its_own_answer(self) -> Self:
        if self.target in self.dense:
            raise PydanticCustomError("target", f"`dense` names {self.target!r}, which is the target: leave it out")
        return self

    def named_columns(self) -> list[Column]:
        """The target and the dense features."""
        return [Column("target", self.target, self.answer_role), *_columns(self.dense)]

    @property
    def answer(self) -> str:
        """The target."""
        return self.target

    def numbers(self) -> list[Number]:
        """The dense features."""
        return _numbers(self.dense)

    def unanswered(self) -> Task:
        """The dense features alone."""
        return Unanswered(kind=self.kind, dense=self.dense)

    def require_answers(self, examples: SparseExamples, where: str) -> None:
        """Refuse training examples that all have the same answer.

        Raises:
            PipelineError: they have; the message says which.
        """
        for fold in range(examples.n_folds):
            target = examples.training(fold).target
            if len(target) and (target == target[0]).all():
                classes = examples.about["classes"]
                answer = repr(classes[int(target[0])]) if classes else f"{target[0]:g}"
                raise PipelineError(
                    f"{where}, task.target: all {len(target)} training examples have {self.target} = {answer}: there "
                    "is nothing to learn. Name another column, or look at `split` and `source.where`."
                )

    def effect_text(self, effect: float) -> str:
        """What a token adds, one of `effects_in_words`, as people read it."""
        return f"{effect:+,.0f}" if abs(effect) >= 1000 else f"{effect:+.3g}"

    # from the target to what is learned, and back: every method that predicts the target uses these methods

    @abstractmethod
    def scale(self, training: ExampleSet) -> dict[str, Array]:
        """Arrays by name, measured on the training examples, that say how a target becomes what is learned."""

    @abstractmethod
    def learned(self, target: Array, scale: Weights) -> Array:
        """Targets (N,) in the form in which they are learned."""

    @abstractmethod
    def prior(self, scale: Weights) -> Array:
        """(C,) the output of a model for every example before it has learned anything."""

    @abstractmethod
    def answers(self, outputs: Array, scale: Weights) -> Array:
        """Numbers in the target's unit, or probabilities, from the outputs (N, C), or (N,) if it has one output."""

    @abstractmethod
    def linear(self, features: Array, learned: Array, scale: Weights) -> tuple[Array, Array]:
        """Coefficients (K,) or (K, C) and intercept of a linear model from features (N, K) to what is learned."""

    @abstractmethod
    def trees(self, **settings: Any) -> Any:
        """scikit-learn's boosted trees for this task, not fitted yet."""

    @abstractmethod
    def answers_of_trees(self, trees: Any, features: Array, scale: Weights) -> Array:
        """The answers of fitted trees for features (N, K)."""

    @abstractmethod
    def losses_of_trees(self, trees: Any, features: Array, learned: Array) -> Iterator[Array]:
        """The losses (N,) of the examples with the first 1, 2, ... trees."""


class Unanswered(Task):
    """A task of records whose target is not known: what it reads of them, and nothing else."""

    predicts_tokens: ClassVar[bool] = False

    kind: str
    dense: tuple[str, ...]

    def named_columns(self) -> list[Column]:
        """The dense features."""
        return _columns(self.dense)

    def numbers(self) -> list[Number]:
        """The dense features."""
        return _numbers(self.dense)

    def beside(self, used: pl.LazyFrame, ids: pl.Series, where: str) -> Beside:
        """The dense features of each example.

        Raises:
            PipelineError: the rows of one example disagree.
        """
        return Beside(np.full(len(ids), np.nan), numbers_of(used, ids, self.dense, where), self.dense)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """No metrics: without answers, nothing is measured."""
        return ()

    def scores(self, fitted: Fitted, rows: ExampleSet) -> pl.DataFrame:
        """Nothing: without answers, no fit can be evaluated."""
        raise AssertionError("records without an answer cannot be evaluated")

    def weighted_metrics(self, scores: pl.DataFrame, weights: Array) -> dict[str, Array]:
        """Nothing: without answers, no fit can be evaluated."""
        raise AssertionError("records without an answer cannot be evaluated")


def _columns(dense: tuple[str, ...]) -> list[Column]:
    return [Column(f"dense[{i}]", column, "dense feature") for i, column in enumerate(dense)]


def _numbers(dense: tuple[str, ...]) -> list[Number]:
    return [Number(f"task.dense[{i}]", column) for i, column in enumerate(dense)]


class TargetTraining(Training):
    """How a network that predicts a column of the records is trained.

    Beside it stands a linear model that is solved for: `patience` says when the fit is that model.
    """

    most_epochs: ClassVar[int] = 60

    learning_rate: float = Field(0.003, gt=0)
    """Learning rate of AdamW at the start; it falls to 0 along a cosine."""
    table_weight_decay: float = Field(0.1, ge=0)
    """Weight decay of the table: each step shrinks it by learning rate x this."""
    weight_decay: float = Field(0.2, ge=0)
    """Weight decay of the head's matrices."""
    token_dropout: float | None = Field(None, ge=0, lt=1)
    """Share p of an example's tokens that are left out at each step. Default: the more tokens for each example, and the
    more noise in the target, the more: p / (1 - p) = 6 V/N (1 - R^2) / R^2, at most 0.6, with the R^2 of a linear model
    on the validation examples; without them, and for a class where that is more, 2 V/N."""
    hidden: int = Field(128, ge=1)
    """Nodes of each of the head's two layers."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Share p of the head's nodes that are left out at each step. Default: the more examples, the fewer, since more are
    harder to learn by heart: p / (1 - p) = 10 / sqrt(N), at most 0.3."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """A copy with every default that depends on the data filled in.

        The batch size is a power of 2, between 32 and 1024, that makes about 75 steps an epoch. There are as many
        epochs as make 2,250 steps, between 30 and `most_epochs`.
        """
        odds = 10 / math.sqrt(max(n_examples, 1))
        dropout = min(odds / (1 + odds), 0.3) if self.dropout is None else self.dropout
        size = self.batch_size or min(max(2 ** round(math.log2(max(n_examples / 75, 1))), 32), 1024)
        epochs = self.max_epochs or min(max(30, math.ceil(2250 / math.ceil(n_examples / size))), self.most_epochs)
        return self.model_copy(update={"batch_size": size, "max_epochs": epochs, "dropout": dropout})

    def choices(self) -> list[dict[str, Any]]:
        """One, for data without validation: a training on bags that are sums, and penalties in the middle.

        The token dropout is still None where it depends on the target.
        """
        penalties = {"penalty": UNKNOWN_PENALTY, "dense_penalty": UNKNOWN_PENALTY}
        return [{"token_dropout": self.token_dropout, "one_length": False, **penalties}]

    def memory(self, size: Size, dimension: int) -> int:
        """The solver of the linear model keeps about 60 copies of the coordinates that it solves for."""
        return super().memory(size, dimension) + 60 * 8 * size.v * most_solved(size.v, dimension)


def most_solved(n_tokens: int, dimension: int) -> int:
    """The number of the D coordinates that are solved for, at most: there are V numbers in each.

    >>> most_solved(4_000, 16), most_solved(500_000, 16), most_solved(10_000_000, 16)
    (16, 8, 1)
    """
    return min(dimension, max(SOLVED // n_tokens, 1))


def token_dropout(tokens_per_example: float, noise_to_signal: float) -> float:
    """The share p of tokens to leave out: p / (1 - p) = 6 V/N (1 - R^2) / R^2, at most 0.6.

    Dropout acts on a linear model as a ridge penalty of p / (1 - p) times the sum of squares of a token's column
    (Wager, Wang and Liang, 2013, "Dropout training as adaptive regularization"). The penalty that is right is the
    variance of the noise over that of a coefficient: R^2 is spread over V coefficients, which N examples tell. That
    gives the formula without its factor, which is measured: the network has more to learn than V coefficients.

    Args:
        tokens_per_example: V / N.
        noise_to_signal: (1 - R^2) / R^2.

    >>> token_dropout(0.5, UNKNOWN_NOISE), token_dropout(0.03, 0.0), token_dropout(0.03, 50)
    (0.5, 0.0, 0.6)
    """
    odds = 6 * tokens_per_example * noise_to_signal
    return min(odds / (1 + odds), 0.6)
