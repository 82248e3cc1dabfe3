"""The most frequent class, with the share that each class has."""

from typing import ClassVar, Literal

from pipeline.baselines.constant import Constant
from pipeline.config.task import Task
from pipeline.tasks.classification import Classification


class MostFrequentClass(Constant):
    """Every example gets the classes with the shares that they have in training."""

    of_task: ClassVar[type[Task]] = Classification

    kind: Literal["most_frequent_class"] = "most_frequent_class"
