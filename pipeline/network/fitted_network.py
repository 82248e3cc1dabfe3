"""A trained network as a `Fitted`, which scores without Lightning. How it was trained does not belong here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from pipeline.config.task import Task
from pipeline.embedding import Embedding
from pipeline.network.batches import Lists

Array = npt.NDArray[Any]
Scorer = Callable[[Lists, Array], Array]
"""Gets lists and their dense features (N, F), and returns what the task predicts."""


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network."""

    embedding: Embedding  # its table
    weights: Mapping[str, Array]  # the network's state, and the scales of the task
    task: Task
    network: str
    """Full name of the network's module, which has a function `scorer`."""
    chosen: Mapping[str, Any] = field(default_factory=dict)  # epochs, and the option that was fitted

    @cached_property
    def _scorer(self) -> Scorer:
        scorer: Scorer = import_module(self.network).scorer(self.weights, self.task)
        return scorer

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """What the network predicts; see `Fitted.score`."""
        with torch.inference_mode():
            return self._scorer(Lists.of(inputs), dense)
