"""The training settings that all tasks share. Each task's own settings are in its file in `tasks`."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from pipeline.config import kinds
from pipeline.config.section import Kind, Section
from pipeline.config.size import Size


class Schedule(Section):
    """How long a network is trained, in what steps, and by how many processes."""

    batch_size: int | None = Field(None, ge=1)
    """Examples per step. Default: depends on the number of training examples."""
    max_epochs: int | None = Field(None, ge=1)
    """Largest number of passes over the training examples; a cosine schedule ends there. Default: depends on the number
    of training examples, too."""
    patience: int | None = Field(None, ge=1)
    """Stop after this many epochs without a better validation loss, and keep the epoch with the best one. Default: go
    on to the end of the schedule and keep the last epoch, unless the epoch with the best loss scores better on
    validation, beyond doubt."""
    devices: int = Field(1, ge=1)
    """Number of processes that train together, each on a part of the examples; a step's batch is divided among them."""
    strategy: Literal["ddp_spawn"] = "ddp_spawn"
    """Lightning's strategy for more than one process: the process that runs the pipeline starts the others.
    (Lightning's `ddp` would start the whole command, and with it the whole pipeline, again in each process.)"""

    accelerator: Literal["cpu", "gpu", "mps", "auto"] = "cpu"
    """Where the network learns: on the processor, where the same seed gives the same bits, on a GPU (`gpu`), or on that
    of a Mac (`mps`). `auto`: on a GPU, where one is there and numbers have 32 bits (`precision`), else on the
    processor."""
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    """How exactly matrices of 32-bit numbers are multiplied, in PyTorch's own words: `highest` is exact, `high` may use
    TF32 on a GPU, `medium` bfloat16, where the hardware has them."""

    def memory(self, size: Size, dimension: int) -> int:
        """Bytes of memory that training needs at its peak, about.

        PCA finds the start; then there are the table, its gradient, two moments, and the best table so far.
        """
        return self.devices * 5 * size.vectors(dimension) + size.of_pca(dimension)

    def choices(self) -> list[dict[str, Any]]:
        """The candidates that validation chooses among, each as settings by name."""
        return [{}]


class Training(Schedule, Kind, ABC):
    """How the network of a task is trained."""

    modules: ClassVar = kinds.TASKS

    @abstractmethod
    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """These settings, with the defaults that depend on N training examples and V tokens filled in."""
