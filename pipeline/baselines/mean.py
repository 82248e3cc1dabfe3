"""The mean number; of a logged target that is the geometric mean."""

from typing import ClassVar, Literal

from pipeline.baselines.constant import Constant
from pipeline.config.task import Task
from pipeline.tasks.regression import Regression


class Mean(Constant):
    """Every example gets the mean of the training targets."""

    of_task: ClassVar[type[Task]] = Regression

    kind: Literal["mean"] = "mean"
