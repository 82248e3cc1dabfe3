"""What regression and classification share: tasks whose answer is a column of the records, a number or a class."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import polars as pl
from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from pipeline.arrays import Array
from pipeline.config.section import OneOrMore, different
from pipeline.config.task import Column, Number, Task
from pipeline.embedding import Fitted
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import Metric
from pipeline.examples.beside import Beside, numbers_of
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples

Weights = Mapping[str, Array]


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
        """What a token adds, in three digits, with its sign."""
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
