"""How a network is trained: what all tasks share. Each task's own settings stand in its file in `tasks`."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from pipeline.config import kinds
from pipeline.config.section import Kind, Section


class Schedule(Section):
    """How long a network is trained, in what steps, and by how many processes."""

    batch_size: int | None = Field(None, ge=1)
    """Examples a step. Default: by the number of training examples."""
    max_epochs: int | None = Field(None, ge=1)
    """Passes over the training examples, at most; the cosine schedule ends there. Default: by that number, too."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many epochs without a better validation loss, and keep the best. Default: go on to the end of the
    schedule, and keep that unless the epoch with the best loss scores better on validation, beyond doubt."""
    devices: int = Field(1, ge=1)
    """Processes that train together, each on a part of the examples; a step's batch is divided among them."""
    strategy: Literal["ddp_spawn"] = "ddp_spawn"
    """Lightning's, where there are more than one: the processes are started by the one that runs the pipeline.
    (Lightning's `ddp` would start the whole command again in each, and with it the whole pipeline.)"""

    def choices(self) -> list[dict[str, Any]]:
        """What validation chooses among, as settings by name."""
        return [{}]


class Training(Schedule, Kind, ABC):
    """How the network of a task is trained."""

    modules: ClassVar = kinds.TASKS

    @abstractmethod
    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every default that the data decides, N training examples and V tokens."""
