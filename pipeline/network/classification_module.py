"""How a class is learned: the loss of the outputs, one for each class, and the directions that the table starts at."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pipeline.arrays import Array
from pipeline.network.target_module import TargetModule
from pipeline.tasks.classification import ClassificationTraining
from pipeline.tasks.target_training import UNKNOWN_NOISE


class ClassificationModule(TargetModule):
    """Learns which class belongs to a list."""

    settings: ClassificationTraining
    # where a class is nearly certain, only dropout keeps its logits from growing
    least_noise: ClassVar[float] = UNKNOWN_NOISE
    interpolates: ClassVar[bool] = True

    @classmethod
    def as_learned(cls, learned: Array, dtype: str) -> Array:
        """The class indices (N,) unchanged: they name classes and are not numbers to compute with."""
        return learned

    @classmethod
    def directions(cls, learned: Array, scale: Mapping[str, Array], of: Array) -> Array:
        """(N, K) contrasts: the most frequent class against the others, the next one against those left, and so on.

        In training the contrasts are orthogonal and have variance 1, by Gram-Schmidt from the indicators of the
        classes. K is one less than the number of classes in training; other classes have 0 in all contrasts.
        """
        counts = np.bincount(learned, minlength=len(scale["target_classes"]))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts) - 1]
        indicators = (learned[:, None] == order).astype(np.float64)
        contrasts, triangle = np.linalg.qr(indicators - indicators.mean(axis=0))
        of_classes = np.zeros((len(counts), contrasts.shape[1]))
        of_classes[learned] = contrasts * np.sign(np.diag(triangle)) * np.sqrt(len(learned))
        return of_classes[of]

    @classmethod
    def is_told(cls, learned: Array, outputs: int) -> Array:
        """(C,) whether any training example has the class."""
        return np.bincount(learned, minlength=outputs) > 0

    @classmethod
    def losses(cls, settings: Any, outputs: Tensor, target: Tensor) -> Tensor:
        """Softmax cross entropy."""
        return F.cross_entropy(outputs, target, reduction="none")
