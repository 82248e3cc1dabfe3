"""How a number is learned: the loss of the network's one output."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pipeline.embedding import Problem
from pipeline.examples.features import DenseScale
from pipeline.network.target_module import TargetModule
from pipeline.network.target_start import moved_by_clipping
from pipeline.network.task_module import Prepared
from pipeline.tasks.regression import Regression, RegressionTraining

HUBER, SQUARED = 1.0, 1e6
"""The error, in standard deviations of the target, from which on errors count linearly; no error reaches the second."""
BEYOND_DOUBT = 2.5
"""Standard errors of the mean by which answers may move on average before all errors count squared."""


class RegressionModule(TargetModule):
    """Learns which number belongs to a list."""

    settings: RegressionTraining
    # where words and numbers act together, the best straight line is a place that training would have to leave again;
    # and it needs one of the D coordinates only
    trains_what_is_solved: ClassVar[bool] = False
    # even where a straight line looks a little better on few validation examples, numbers mostly follow curves
    keeps_first: ClassVar[bool] = True

    @classmethod
    def promising(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As in `TargetModule`, with the loss that suits the errors of this target.

        The answer to a logged target is the median, which clipped errors leave in its place. Otherwise it is the mean.
        """
        task = problem.conf.task
        assert isinstance(task, Regression)
        if settings.huber is None and not task.log:
            rows = problem.training
            dense, target = DenseScale.fit(rows.dense).forward(rows.dense), task.learned(rows.target, task.scale(rows))
            moved = abs(moved_by_clipping(rows, dense, target, HUBER, problem.conf.dtype))
            among = [one | {"huber": SQUARED if moved > BEYOND_DOUBT else HUBER} for one in among]
        return super().promising(problem, settings, among)

    @classmethod
    def _begun(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        huber = option.get("huber", settings.huber or HUBER)
        return super()._begun(problem, settings.model_copy(update={"huber": huber}), steps, option, kept)

    @classmethod
    def losses(cls, settings: Any, outputs: Tensor, target: Tensor) -> Tensor:
        """Huber loss of the standardised targets."""
        return F.huber_loss(outputs.squeeze(1), target, delta=settings.huber, reduction="none")
