"""How a number is learned: the loss of the network's one output."""

from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pipeline.network.target_module import TargetModule
from pipeline.tasks.regression import RegressionTraining


class RegressionModule(TargetModule):
    """Learns which number belongs to a list."""

    settings: RegressionTraining
    # where words and numbers act together, the best straight line is a place that training would have to leave again;
    # and it needs one of the D coordinates only
    trains_what_is_solved: ClassVar[bool] = False

    @classmethod
    def losses(cls, settings: Any, outputs: Tensor, target: Tensor) -> Tensor:
        """Huber loss of the standardised targets."""
        return F.huber_loss(outputs.squeeze(1), target, delta=settings.huber, reduction="none")
