"""What a task is to the rest of the pipeline; all that is particular to one stands in its own file in `tasks`."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pipeline.config import kinds
from pipeline.config.section import Kind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from pipeline.embedding import Fitted
    from pipeline.evaluation.metrics import Metric
    from pipeline.examples.beside import Beside
    from pipeline.examples.example_set import ExampleSet
    from pipeline.examples.sparse_examples import SparseExamples


class Column(NamedTuple):
    """A column of the raw records that a section names."""

    key: str
    """The key of the section that names it."""
    name: str
    role: str
    """What it is there for, in words."""


class Task(Kind, ABC):
    """What is learned."""

    modules: ClassVar = kinds.TASKS
    network: ClassVar[str]
    """The module of the task's network, which is loaded when it scores."""
    learner: ClassVar[str]
    """The module with what Lightning trains, which is loaded when the network learns."""
    quick_baseline: ClassVar[str]
    """The baseline, beside PCA, that a conf has which names none."""
    predicts_tokens: ClassVar[bool]
    """Whether tokens are what is predicted: a part of a held-out example's tokens is then kept back as its labels."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every default that the data decides, N training examples and V tokens."""
        return self

    # the records

    def named_columns(self) -> list[Column]:
        """Every column of the raw records that this names, by the key that names it."""
        return []

    def lacks_answer(self, schema: "pl.Schema") -> "pl.Expr | None":
        """Whether a record lacks what is to be predicted, and is left out; None where a record has nothing such."""
        return None

    # the examples

    @property
    def share_in(self) -> float:
        """Share of a held-out example's tokens that goes in, where tokens are what is predicted."""
        return 1.0

    @property
    def most_evaluated(self) -> int | None:
        """At most so many examples of a part are evaluated; None: all."""
        return None

    @abstractmethod
    def beside(self, used: "pl.LazyFrame", ids: "pl.Series", where: str) -> "Beside":
        """What an example has beside its tokens: dense features, and what is to be predicted.

        Args:
            used: the raw records that are used, with their example's id.
            ids: (N,) of the examples.
            where: the conf file's name, for a message.

        Raises:
            PipelineError: the rows of an example disagree, or a value cannot be used.
        """

    def require_answers(self, examples: "SparseExamples", where: str) -> None:
        """Refuse examples of which none can be evaluated.

        Raises:
            PipelineError: there is a held-out part, and nothing in it can be predicted.
        """

    # the evaluation

    @property
    @abstractmethod
    def metrics(self) -> "tuple[Metric, ...]":
        """How well a fit does, the primary metric first: choices are made by it, and people are told it first."""

    @abstractmethod
    def evaluate(self, fitted: "Fitted", rows: "ExampleSet") -> "pl.DataFrame":
        """A row a held-out example: how well the fit did on it. The column `example` has its id."""

    @abstractmethod
    def weighted_metrics(self, scores: "pl.DataFrame", weights: "npt.NDArray[Any]") -> "dict[str, npt.NDArray[Any]]":
        """The metrics with each example counted as often as a row of weights says, which is what a bootstrap needs.

        Args:
            scores: what `evaluate` gave, N examples.
            weights: (R, N) how often each example counts.

        Returns:
            For each metric (R,).
        """

    # the views

    def effect(self, answers: "npt.NDArray[Any]") -> "npt.NDArray[np.float64]":
        """Answers (N,) or (N, C) on the scale on which a token adds to them; not where tokens are predicted."""
        raise AssertionError("a task whose tokens have effects says on which scale")

    def effects_in_words(
        self, effects: "npt.NDArray[np.float64]", classes: "tuple[str, ...]"
    ) -> "tuple[str, list[str] | npt.NDArray[np.float64]]":
        """What people read for the effects of tokens (n,) or (n, C): a name, and a number or a word for each token."""
        raise AssertionError("a task whose tokens have effects says what they are")
