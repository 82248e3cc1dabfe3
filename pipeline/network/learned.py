"""The learned embedding as an estimator. It loads PyTorch only when it fits or restores a fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.config.size import Size
from pipeline.embedding import Embedding, Fitted, Problem


@dataclass(frozen=True)
class LearnedEmbedding:
    """An embedding layer of D nodes, trained for the task of a dataset."""

    NAME: ClassVar[str] = "embedding"
    is_swept: ClassVar[bool] = True
    ignores_examples: ClassVar[bool] = False
    has_chance: ClassVar[bool] = True
    uses_tokens: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    in_words: ClassVar[str] = ""

    conf: Dataset

    @property
    def name(self) -> str:
        """Its name in the runs and the tables."""
        return self.NAME

    def fitted_at(self) -> tuple[int | None, ...]:
        """Each D that conf lists."""
        assert self.conf.dimensions is not None
        return self.conf.dimensions

    def settings(self) -> dict[str, Any]:
        """The settings under `training`."""
        return self.conf.training.model_dump(mode="json", exclude={"kind"})

    def memory(self, size: Size, dimension: int | None) -> int:
        """Bytes of memory that training needs at its peak, about."""
        assert dimension is not None
        return self.conf.training.memory(size, dimension)

    def takes_one_thread(self, size: Size, dimension: int | None) -> bool:
        """Whether a fit takes one thread nearly all the time, so that others can be fitted beside it."""
        return self.conf.training.takes_one_thread(size, dimension)

    def fit(self, problem: Problem) -> Fitted:
        """Train the network of the task."""
        from pipeline.network.contest import fit_network

        return fit_network(problem, self.conf.training, self.conf.task.learner, self.conf.task.network)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> Fitted:
        """Restore a fit from its embedding and its saved weights."""
        from pipeline.network.fitted_network import FittedNetwork

        return FittedNetwork(embedding, weights, conf.task, conf.task.network)
