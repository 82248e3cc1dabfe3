"""What the rest of the pipeline asks of a task; everything particular to one task is in its own file in `tasks`."""

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
    """What the column is for, in words."""


class Number(NamedTuple):
    """A column of the raw records that is read as numbers."""

    key: str
    """The key of conf that names the column."""
    column: str
    above_0: str = ""
    """Why only numbers above 0 can be used, as the end of a sentence; empty: all numbers can."""


class Task(Kind, ABC):
    """What is learned from the examples, and how a fit is evaluated."""

    modules: ClassVar = kinds.TASKS
    network: ClassVar[str]
    """The module of the task's network, imported when the network scores."""
    learner: ClassVar[str]
    """The module with the class that Lightning trains, imported when the network learns."""
    answers_with: ClassVar[str]
    """The module and class of the model that answers with a fit, imported when a fit is put to work."""
    usual_baselines: ClassVar[tuple[str, ...]]
    """The baselines, beside PCA, that a proposed conf file names; one without `baselines` gets the first."""
    predicts_tokens: ClassVar[bool]
    """Whether tokens are predicted: some tokens of a held-out example are then kept back as its labels."""
    weighs_by_logarithm: ClassVar[bool] = False
    """Whether tokens count by the logarithm of their weight, and not by the weight itself, which may be an amount that
    adds to a target."""

    def resolved(self, n_tokens: int) -> Self:
        """These settings, with the defaults that depend on V tokens filled in."""
        return self

    # the records

    def named_columns(self) -> list[Column]:
        """Every column of the raw records that this section names, with the key that names it."""
        return []

    @property
    def answer(self) -> str | None:
        """The column to predict: a record without a value there is left out. None: tokens are predicted."""
        return None

    def numbers(self) -> list[Number]:
        """The columns that are read as numbers."""
        return []

    def unanswered(self) -> "Task":
        """This task for records whose answer is not known."""
        return self

    # the examples

    @property
    def share_in(self) -> float:
        """Share of a held-out example's tokens that goes in, if tokens are predicted."""
        return 1.0

    @property
    def most_evaluated(self) -> int | None:
        """The largest number of examples of a part that are evaluated; None: all."""
        return None

    @abstractmethod
    def beside(self, used: "pl.LazyFrame", ids: "pl.Series", where: str) -> "Beside":
        """What the examples have beside their tokens: dense features and targets.

        Args:
            used: the raw records that can be used, each with the id of its example.
            ids: (N,) the ids of the examples.
            where: the conf file's name, for a message.

        Raises:
            PipelineError: the rows of an example disagree, or a value cannot be used.
        """

    def require_answers(self, examples: "SparseExamples", where: str) -> None:
        """Refuse the examples if a held-out part has none that can be evaluated.

        Raises:
            PipelineError: a held-out part has examples, but nothing to predict in any of them.
        """

    def rests_on_few(self, examples: "SparseExamples") -> str | None:
        """A sentence about answers that only few examples have; None if there are none."""
        return None

    # the evaluation

    @property
    @abstractmethod
    def metrics(self) -> "tuple[Metric, ...]":
        """The metrics of a fit, the primary one first: validation chooses by it, and people are told it first."""

    def evaluate(self, fitted: "Fitted", rows: "ExampleSet") -> "pl.DataFrame":
        """How well a fit does on held-out examples, the scores of each, and its group in the column `group`.

        There is no such column where each example stands for itself.
        """
        scores = self.scores(fitted, rows)
        return scores if rows.groups is None else scores.join(rows.of_groups(), on="example", how="left")

    @abstractmethod
    def scores(self, fitted: "Fitted", rows: "ExampleSet") -> "pl.DataFrame":
        """One row for each held-out example that can be scored, with its id in the column `example`."""

    @abstractmethod
    def weighted_metrics(self, scores: "pl.DataFrame", weights: "npt.NDArray[Any]") -> "dict[str, npt.NDArray[Any]]":
        """The metrics with each example counted as often as a row of weights says; a bootstrap needs this.

        Args:
            scores: the frame that `evaluate` gave, N examples.
            weights: (R, N) how often each example counts.

        Returns:
            The values (R,) of each metric, by its name.
        """

    # the views

    def effect(self, answers: "npt.NDArray[Any]") -> "npt.NDArray[np.float64]":
        """Answers (N,) or (N, C) on the scale on which tokens add to them; not for a task that predicts tokens."""
        raise AssertionError("a task whose tokens have effects says on which scale")

    def effects_in_words(
        self, effects: "npt.NDArray[np.float64]", classes: "tuple[str, ...]"
    ) -> "tuple[str, list[str] | npt.NDArray[np.float64]]":
        """What people read for the effects (n,) or (n, C) of tokens: a name, and a number or a word for each token."""
        raise AssertionError("a task whose tokens have effects says what they are")

    def effect_text(self, effect: float) -> str:
        """What a token adds, one of `effects_in_words`, as people read it."""
        raise AssertionError("a task whose tokens have effects says how they are written")
