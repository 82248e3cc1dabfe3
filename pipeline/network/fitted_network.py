"""A trained network as a `Fitted`, which scores without Lightning. How it was trained does not belong here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.task import Task
from pipeline.config.training import INTERPOLATION
from pipeline.embedding import Embedding, Factors
from pipeline.network.lists import Lists

Scorer = Callable[[Lists, Array], Array]
"""Gets lists and their dense features (N, F), and returns what the task predicts."""


def places(weights: Mapping[str, Array]) -> npt.NDArray[np.float32]:
    """(V, D) what each token adds to the hidden nodes: its row of the table, times its weight in a sum if it has one.

    Args:
        weights: the network's state.
    """
    table = weights["table.weight"]
    rows = table * weights["weight"][:, None] if "weight" in weights else table
    return np.asarray(rows, np.float32)


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network."""

    embedding: Embedding  # its `places`
    weights: Mapping[str, Array]  # the network's state, and the scales of the task
    task: Task
    network: str
    """Full name of the network's module, which has a function `scorer`."""
    chosen: Mapping[str, Any] = field(default_factory=dict)  # epochs, and the option that was fitted
    device: str = "cpu"
    """Where its products are made; a fit that is restored makes them on the processor."""
    untold: Sequence[tuple[Mapping[str, float], int]] = ()
    """The losses and the number of each epoch of its training of which `Watch.on_epoch` was not told while it ran."""

    @property
    def decay(self) -> float:
        """What the tokens of each time count of what those of the next one do, in the lists that it scores."""
        return float(1 / (1 + np.exp(-self.weights["decay_logit"]))) if "decay_logit" in self.weights else 1.0

    @cached_property
    def _scorer(self) -> Scorer:
        scorer: Scorer = import_module(self.network).scorer(self.weights, self.task)
        return scorer

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """What the network predicts; see `Fitted.score`."""
        with torch.inference_mode():
            return self._scorer(Lists.of(inputs), dense)

    @cached_property
    def factors(self) -> Factors | None:
        """The outputs of the network as products, if its module has a function `factors`."""
        make = getattr(import_module(self.network), "factors", None)
        if make is None:
            return None
        with torch.inference_mode():
            items, of_lists = make(self.weights)

        def queries(inputs: sparse.csr_matrix) -> npt.NDArray[np.float32]:
            with torch.inference_mode():
                return np.asarray(of_lists(Lists.of(inputs)).float().numpy())

        return Factors(np.ascontiguousarray(items.float().numpy()), queries, self.device)


def between(start: FittedNetwork, end: FittedNetwork, share: float) -> FittedNetwork:
    """The network whose weights lie at a share of the way from those at the start of a training to those at its end.

    From weights that were fitted already, training changes the outputs nearly evenly along this way, so a fit between
    the two is as good a model, and often a better one: it has learned the strong part of what there was to learn, and
    less of the chance (Wortsman et al., 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903).

    Args:
        start: before training.
        end: after training; what was measured on the examples, and not learned, is the same in both.
        share: 0 for the start, 1 for the end.
    """
    if share in (0, 1):
        nearer = end if share else start
        return replace(nearer, chosen={**nearer.chosen, INTERPOLATION: share}, untold=end.untold)
    learned = {name: value for name, value in end.weights.items() if value.dtype.kind == "f"}
    between_both = {name: value + (1 - share) * (start.weights[name] - value) for name, value in learned.items()}
    weights = {**end.weights, **between_both}
    embedding = Embedding(end.embedding.vocabulary, places(weights))
    return replace(end, embedding=embedding, weights=weights, chosen={**end.chosen, INTERPOLATION: share})
