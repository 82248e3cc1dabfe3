"""The mean of the target; for a logged target, the geometric mean."""

from typing import ClassVar, Literal

from pipeline.baselines.constant import Constant
from pipeline.config.task import Task
from pipeline.tasks.regression import Regression


class Mean(Constant):
    """Every example gets the mean of the training targets; for a logged target, the geometric mean."""

    of_task: ClassVar[type[Task]] = Regression

    kind: Literal["mean"] = "mean"
