"""What a baseline is to the rest of the pipeline; each stands in a file of its own in `baselines`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipeline.config import kinds
from pipeline.config.section import Kind
from pipeline.config.task import Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.config.dataset import Dataset
    from pipeline.embedding import Embedding, Fitted, Problem


class Baseline(Kind, ABC):
    """What a learned embedding is compared with: settings that know how to fit."""

    modules: ClassVar = kinds.BASELINES
    of_task: ClassVar[type[Task]] = Task  # type: ignore[type-abstract]
    """The tasks for which it is one."""
    is_swept: ClassVar[bool] = False
    """Whether it is fitted at each D; the others have no D, or choose it as a setting of theirs."""
    ignores_examples: ClassVar[bool] = False
    """Whether its answer is the same for every example. It is quick."""
    in_words: ClassVar[str] = ""
    """What people should know who compare with it, as a sentence that stands below the table."""

    @property
    def name(self) -> str:
        """What conf, the runs and the tables call it."""
        return self.kind

    def resolved(self, n_examples: int, n_tokens: int, dimensions: tuple[int, ...]) -> Self:
        """With every default that the data decides: N training examples, V tokens, each D of the learned embedding."""
        return self

    def fitted_at(self) -> tuple[int | None, ...]:
        """Each D to fit; None where there is none to sweep."""
        return (None,)

    def require_settings(self, task: Task) -> None:
        """Refuse settings of the task that do not go with it.

        Raises:
            PydanticCustomError: says what to write instead.
        """

    def require_room(self, most: int, n_tokens: int, where: str) -> None:
        """Refuse a setting for which the data has no room.

        Args:
            most: the most dimensions that the data has room for.
            n_tokens: V.
            where: the conf file's name, for a message.

        Raises:
            PipelineError: names the key, and what to write instead.
        """

    @abstractmethod
    def fit(self, problem: "Problem") -> "Fitted":
        """Fit on the training examples; where a setting has several values, validation chooses."""

    @classmethod
    @abstractmethod
    def restore(cls, embedding: "Embedding", weights: "Mapping[str, npt.NDArray[Any]]", conf: "Dataset") -> "Fitted":
        """Restore a fit from its embedding and its saved weights."""

    def settings(self) -> dict[str, Any]:
        """All settings but its D, as plain data."""
        return self.model_dump(mode="json", exclude={"kind", "dimensions"})
