"""What the rest of the pipeline asks of a baseline; each has its own file, nearly all of them in `baselines`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pipeline.config import kinds
from pipeline.config.section import Kind
from pipeline.config.size import Size
from pipeline.config.task import Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.config.dataset import Dataset
    from pipeline.embedding import Embedding, Fitted, Problem


class Baseline(Kind, ABC):
    """A method that the learned embedding is compared with: its settings, and how to fit it."""

    modules: ClassVar = kinds.BASELINES
    of_task: ClassVar[type[Task]] = Task  # type: ignore[type-abstract]
    """The class of the tasks that it can be a baseline for."""
    is_swept: ClassVar[bool] = False
    """Whether it is fitted at each D; other baselines have no D, or choose it as one of their settings."""
    ignores_examples: ClassVar[bool] = False
    """Whether it gives every example the same answer; such a baseline is quick."""
    has_chance: ClassVar[bool] = False
    """Whether another seed gives another fit."""
    uses_tokens: ClassVar[bool] = True
    """Whether it learns from the tokens of the examples, and from what they weigh."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Packages that its fit needs to score, beside those that every fit needs."""
    in_words: ClassVar[str] = ""
    """A sentence below the table, for people who compare with it."""

    @property
    def name(self) -> str:
        """Its name in conf files, runs and tables."""
        return self.kind

    def resolved(self, n_examples: int, n_tokens: int, dimensions: tuple[int, ...]) -> Self:
        """These settings, with the defaults that depend on the data filled in.

        Args:
            n_examples: N, the number of training examples.
            n_tokens: V, the size of the vocabulary.
            dimensions: each D of the learned embedding.
        """
        return self

    def fitted_at(self) -> tuple[int | None, ...]:
        """Each D to fit; a single None if it has no D to sweep."""
        return (None,)

    def require_settings(self, task: Task) -> None:
        """Refuse a task whose settings do not go with this baseline.

        Raises:
            PydanticCustomError: says what to write instead.
        """

    def require_room(self, most: int, n_tokens: int, where: str) -> None:
        """Refuse a setting for which the data has no room.

        Args:
            most: the most dimensions that the data has room for.
            n_tokens: V, the size of the vocabulary.
            where: the conf file's name, for a message.

        Raises:
            PipelineError: names the key, and what to write instead.
        """

    def memory(self, size: Size, dimension: int | None) -> int:
        """Bytes of memory that a fit needs at its peak, about, beside what is read from the disk as it goes."""
        return 0

    def takes_one_thread(self, size: Size, dimension: int | None) -> bool:
        """Whether a fit takes one thread nearly all the time, so that others can be fitted beside it."""
        return size.is_small

    @abstractmethod
    def fit(self, problem: "Problem") -> "Fitted":
        """Fit on the training examples; where a setting has several values, validation chooses."""

    @classmethod
    @abstractmethod
    def restore(cls, embedding: "Embedding", weights: "Mapping[str, npt.NDArray[Any]]", conf: "Dataset") -> "Fitted":
        """Restore a fit from its embedding and its saved weights."""

    def settings(self) -> dict[str, Any]:
        """All settings but its kind and its D, as plain data."""
        return self.model_dump(mode="json", exclude={"kind", "dimensions"})
