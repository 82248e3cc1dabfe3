"""The training settings that all tasks share. Each task's own settings are in its file in `tasks`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config import kinds
from pipeline.config.section import Kind, Section
from pipeline.config.size import Size

WORK_OF_ONE_THREAD = 2 * 10**7
"""Multiplications in a step (examples in a batch x V x (D + 1)), below which a step gets one thread: 10 ms and less.
More threads would mostly wait for each other."""

INTERPOLATION = "interpolation"
"""The choice of a place between the start of a training and its end: 0 for the start, 1 for the end."""

Forgot = Sequence[tuple[Mapping[str, Any], float]]
"""Candidates, each with the share of what it had learned, by its loss on validation, that it forgot again."""


class Schedule(Section):
    """How long a network is trained, in what steps, and by how many processes."""

    batch_size: int | None = Field(None, ge=1)
    """Examples per step. Default for N training examples: where tokens are predicted N / 8, from 64 to 1,024; for a
    number or a class the power of 2 that is nearest to N / 75, from 32 to 1,024."""
    max_epochs: int | None = Field(None, ge=1)
    """Largest number of passes over the training examples; a cosine schedule ends there. Default: where
    tokens are predicted as many as make 300 steps, at least 10 (3 if negatives are drawn); for a number as many as make
    2,250 steps, from 30 to 60; for a class 30."""
    patience: int | None = Field(None, ge=1)
    """Stop after this many epochs without a better validation loss, and keep the epoch with the best one. Default: go
    on to the end of the schedule and keep the last epoch, unless the epoch with the best loss scores better on
    validation: beyond doubt, or by a standard error where fewer than 100 examples, or groups of them, validate. A
    number keeps a linear model that is solved for if that is better by a standard error. For a class, training begins
    at such a model, and the fit lies as far on the way from there to the last epoch as validation prefers."""
    devices: int = Field(1, ge=1)
    """Number of processes that train together, each on a part of the examples; a step's batch is divided among them."""
    strategy: Literal["ddp_spawn"] = "ddp_spawn"
    """Lightning's strategy for more than one process: the process that runs the pipeline starts the others.
    (Lightning's `ddp` would start the whole command, and with it the whole pipeline, again in each process.)"""

    workers: int = Field(1, ge=1)
    """Number of workers that train together on a cluster of [Ray](https://docs.ray.io), each on its part of the
    examples; a step's batch is divided among them. RAY_ADDRESS in the environment names the cluster; without it a Ray
    of this machine is started. Needs `pip install 'embedding-pipeline[ray]'`."""
    resources_per_worker: dict[str, Annotated[float, Field(gt=0)]] = Field({"CPU": 1})
    """What each worker reserves on the cluster, such as `{CPU: 4}`: by the names that Ray has for it."""
    largest_table: float = Field(8.0, gt=0)
    """GB of the largest table (V x (D + 1) numbers) of which each of several workers has a copy. The rows of a larger
    one are divided among them, and a step fetches those that it needs from the workers that own them; this needs
    `negatives`, so only missing tokens can be learned so."""
    accelerator: Literal["cpu", "gpu", "mps", "auto"] = "cpu"
    """Where the network learns: on the processor, where the same seed gives the same bits, on a GPU (`gpu`), or on that
    of a Mac (`mps`). `auto`: on a GPU, where one is there and numbers have 32 bits (`precision`), else on the
    processor."""
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    """How exactly matrices of 32-bit numbers are multiplied, in PyTorch's own words: `highest` is exact, `high` may use
    TF32 on a GPU, `medium` bfloat16, where the hardware has them."""

    @model_validator(mode="after")
    def _workers_or_devices(self) -> Self:
        if self.workers > 1 and self.devices > 1:
            raise PydanticCustomError(
                "processes", "`devices` and `workers` are two ways to divide one training: choose"
            )
        return self

    @property
    def processes(self) -> int:
        """The number of processes that train together."""
        return max(self.workers, self.devices)

    def is_divided(self, n_tokens: int, dimension: int, number: int) -> bool:
        """Whether the rows of the table are divided among the workers: V tokens, D dimensions, bytes of a number."""
        return self.workers > 1 and n_tokens * (dimension + 1) * number > self.largest_table * 1e9

    def has_short_steps(self, n_tokens: int, dimension: int) -> bool:
        """Whether the steps are too short for more than one thread: V tokens, D dimensions."""
        return (self.batch_size or 1) * n_tokens * (dimension + 1) < WORK_OF_ONE_THREAD

    def takes_one_thread(self, size: Size, dimension: int | None) -> bool:
        """Whether a fit takes one thread nearly all the time, so that others can be fitted beside it."""
        is_here = self.accelerator == "cpu" and self.processes == 1
        return is_here and self.has_short_steps(size.v, dimension or 1)

    def memory(self, size: Size, dimension: int) -> int:
        """Bytes of memory that training needs at its peak, about.

        PCA finds the start; then there are the table, its gradient, two moments, and the best table so far.
        """
        return self.devices * 5 * size.vectors(dimension) + size.of_pca(dimension)

    def choices(self) -> list[dict[str, Any]]:
        """The candidates that validation chooses among, each as settings by name."""
        return [{}]

    def others(self, chosen: Mapping[str, Any], forgot: Forgot) -> list[dict[str, Any]]:
        """Candidates that are tried too, because others came to believe what is chance.

        Args:
            chosen: the candidate that was chosen.
            forgot: all that were tried so far.
        """
        return []

    def longer(self, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Candidates that are trained for longer, one after the other as long as that is better.

        Args:
            chosen: the candidate that was chosen.
        """
        return []


class Training(Schedule, Kind, ABC):
    """How the network of a task is trained."""

    modules: ClassVar = kinds.TASKS

    @abstractmethod
    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """These settings, with the defaults that depend on N training examples and V tokens filled in."""
