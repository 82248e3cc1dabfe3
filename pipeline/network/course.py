"""The network of the course as a baseline: its settings. What it looks like and how it learns stands beside it."""

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field

from pipeline.arrays import Array
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import Dimensions
from pipeline.config.size import Size
from pipeline.config.task import Task
from pipeline.config.training import Schedule
from pipeline.embedding import Embedding, Fitted, Problem
from pipeline.errors import PipelineError
from pipeline.tasks.missing_tokens import MissingTokens

LEARNER, NETWORK = "pipeline.network.course_module", "pipeline.network.course_network"


class CourseNetwork(Baseline, Schedule):
    """The textbook's network: of ten tokens of a list three go in, and the other seven are the labels of a softmax.

    An embedding of D nodes, a hidden layer, a logit for each token; Adam, dropout, early stopping on validation.
    """

    of_task: ClassVar[type[Task]] = MissingTokens
    is_swept: ClassVar[bool] = True
    has_chance: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    in_words: ClassVar[str] = (
        "course_network is the network of the textbooks, where some tokens of a list predict some others; the "
        "embedding learns from all tokens of a list at each step, and starts at PCA's vectors."
    )

    kind: Literal["course_network"] = "course_network"
    batch_size: int | None = Field(None, ge=1)
    """Examples per step. Default: 64."""
    max_epochs: int | None = Field(None, ge=1)
    """Most passes over the training examples. Default: 10, or as many as make 200 steps if that is more."""
    patience: int | None = Field(None, ge=1)
    """Stop after this many epochs without a better validation loss, and keep the best one. Default: 10."""
    dimensions: Dimensions | None = None
    """Each D. Default: those of the learned embedding."""
    drawn: int = Field(10, ge=2)
    """Tokens of a list that are drawn anew at each step; `task.fold_in` of them go in, the others are the labels."""
    draws: int = Field(4, ge=1)
    """How often each list is drawn from at a step."""
    hidden: int = Field(32, ge=1)
    """Nodes of the hidden layer."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the hidden layer's nodes that is left out at each step."""
    learning_rate: float = Field(0.02, gt=0)
    """Learning rate of Adam."""
    max_tokens: int = Field(100_000, ge=1)
    """A larger vocabulary is refused: each step makes batch size x V logits."""

    def resolved(self, n_examples: int, n_tokens: int, dimensions: tuple[int, ...]) -> Self:
        """A copy with the defaults filled in.

        They are each D of the learned embedding, 64 examples a step, as many epochs as make 200 steps, but 10 or more,
        and a patience of 10 epochs.
        """
        size = self.batch_size or 64
        epochs = max(10, math.ceil(200 / math.ceil(n_examples / size)))
        defaults = {"dimensions": dimensions, "batch_size": size, "max_epochs": epochs, "patience": 10}
        return self.model_copy(update={name: getattr(self, name) or value for name, value in defaults.items()})

    def fitted_at(self) -> tuple[int | None, ...]:
        """Each D."""
        assert self.dimensions is not None
        return self.dimensions

    def require_room(self, most: int, n_tokens: int, where: str) -> None:
        """Refuse a vocabulary that is too large.

        Raises:
            PipelineError: says what to do.
        """
        if n_tokens > self.max_tokens:
            raise PipelineError(
                f"{where}, baselines: course_network makes a logit for each token at each step, and V = {n_tokens:,} "
                f"is above its `max_tokens` of {self.max_tokens:,}. Leave it out, or raise that."
            )

    def memory(self, size: Size, dimension: int | None) -> int:
        """Both tables with gradients and Adam's moments, and a step's logits."""
        assert self.batch_size is not None
        tables = 5 * (size.vectors(dimension) + size.vectors(self.hidden))
        return tables + 2 * self.batch_size * self.draws * size.v * size.number

    def takes_one_thread(self, size: Size, dimension: int | None) -> bool:
        """Whether a fit takes one thread nearly all the time, so that others can be fitted beside it."""
        return Schedule.takes_one_thread(self, size, dimension)

    def fit(self, problem: Problem) -> Fitted:
        """Train until validation finds no better epoch."""
        from pipeline.network.contest import fit_network

        return fit_network(problem, self, LEARNER, NETWORK)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> Fitted:
        """Restore a fit from its embedding and its saved weights."""
        from pipeline.network.fitted_network import FittedNetwork

        return FittedNetwork(embedding, weights, conf.task, NETWORK)
