"""How a class is learned: the loss of the network's outputs, one a class, and where its table starts."""

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
        """The indices of the classes are no numbers to compute with."""
        return learned

    @classmethod
    def directions(cls, learned: Array, scale: Mapping[str, Array]) -> Array:
        """(N, K) what tells the most frequent class from the others, the next one from those that are left, and so on.

        Orthogonal contrasts of variance 1, by Gram and Schmidt from the classes' indicators: K is one less than the
        number of classes that training has.
        """
        counts = np.bincount(learned, minlength=len(scale["target_classes"]))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts) - 1]
        indicators = (learned[:, None] == order).astype(np.float64)
        contrasts, triangle = np.linalg.qr(indicators - indicators.mean(axis=0))
        return np.asarray(contrasts * np.sign(np.diag(triangle)) * np.sqrt(len(learned)))

    def loss_of(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Softmax cross entropy."""
        return F.cross_entropy(outputs, target)
