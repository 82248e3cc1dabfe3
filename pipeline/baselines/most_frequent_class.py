"""The most frequent class, with the share of each class as its probability."""

from typing import ClassVar, Literal

from pipeline.baselines.constant import Constant
from pipeline.config.task import Task
from pipeline.tasks.classification import Classification


class MostFrequentClass(Constant):
    """Every example gets the same probabilities: the share of each class in the training examples."""

    of_task: ClassVar[type[Task]] = Classification

    kind: Literal["most_frequent_class"] = "most_frequent_class"
