"""How a class is learned: the loss of the network's outputs, one for each class, and where its table starts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pipeline.network.target_module import TargetModule
from pipeline.tasks.classification import ClassificationTraining

Array = npt.NDArray[Any]


class ClassificationModule(TargetModule):
    """Learns which class belongs to a list."""

    settings: ClassificationTraining

    @classmethod
    def as_learned(cls, learned: Array, dtype: str) -> Array:
        """The class indices (N,) unchanged: they name classes and are not numbers to compute with."""
        return learned

    @classmethod
    def directions(cls, learned: Array, scale: Mapping[str, Array]) -> Array:
        """(N, K) contrasts: the most frequent class against the others, the next one against those left, and so on.

        The contrasts are orthogonal and have variance 1, by Gram-Schmidt from the indicators of the classes. K is one
        less than the number of classes in training.
        """
        counts = np.bincount(learned, minlength=len(scale["target_classes"]))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts) - 1]
        indicators = (learned[:, None] == order).astype(np.float64)
        contrasts, triangle = np.linalg.qr(indicators - indicators.mean(axis=0))
        return np.asarray(contrasts * np.sign(np.diag(triangle)) * np.sqrt(len(learned)))

    def loss_of_outputs(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Softmax cross entropy."""
        return F.cross_entropy(outputs, target)
