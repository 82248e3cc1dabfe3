"""How missing tokens are learned: where the network starts, its loss and its optimiser."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor, nn

from pipeline.baselines.pca import principal_components
from pipeline.embedding import Problem
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.network.batches import Batches, Lists
from pipeline.network.layers import tensor
from pipeline.network.losses import softmax_loss
from pipeline.network.missing_tokens_network import MissingTokensNetwork, network_of
from pipeline.network.modules import Prepared, TaskModule
from pipeline.network.sampled_softmax import NegativeSampler, RowWiseAdagrad, Touched, renumbered
from pipeline.tasks.missing_tokens import MOST_PAIRS, MissingTokensTraining

Array = npt.NDArray[Any]

ROUGHLY = 0.05
"""Tolerance of the randomised PCA: a start need not be exact."""


class MissingTokensModule(TaskModule):
    """Learns which tokens are missing from a list."""

    network: MissingTokensNetwork
    settings: MissingTokensTraining

    def __init__(self, network: nn.Module, settings: MissingTokensTraining, steps: int, counts: Array) -> None:
        super().__init__(network, settings, steps)
        self.proposal = NegativeSampler(torch.from_numpy(counts)) if settings.negatives else None
        self.touched = Touched(len(counts))

    @classmethod
    def prepared(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """The module at its start, or with the state of its network that an earlier process kept."""
        assert isinstance(settings, MissingTokensTraining)
        assert problem.dimension is not None
        training, conf = problem.training, problem.conf
        network = (
            network_of(kept, settings.dropout, sparse=bool(settings.negatives))
            if kept
            else missing_tokens_network(
                training, settings, problem.dimension, option["temperature"], conf.seed, conf.dtype
            )
        )
        both = [rows for rows in (training, problem.validation) if rows is not None]
        sets = [Batches(rows, rows.dense, rows.target) for rows in both]
        return Prepared(cls(network, settings, steps, training.inputs.counts), sets, {})

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Softmax cross entropy; in training a share of each list goes in, by default all; all tokens are labels."""
        settings = self.settings
        whole: Lists = batch["inputs"]
        inputs, labels = whole, whole if self.training else batch["labels"]
        excluded = None if self.training else inputs
        if settings.decoupled:
            excluded = whole if self.training else inputs.joined(labels)
        if self.training and settings.input_share != (1.0, 1.0):
            inputs = whole.keep(_share_of(whole, *settings.input_share))
        power = settings.label_power if self.training else 1.0
        if self.proposal is None:
            hidden = self.network.hidden_of(inputs.mean(self.network.table.weight))
            bias = self.network.bias.weight[:, 0]
            return softmax_loss(hidden, self.network.outputs(), bias, labels, power, excluded)
        return self._loss_of_touched(inputs, labels, excluded, power)

    def _loss_of_touched(self, inputs: Lists, labels: Lists, excluded: Lists | None, power: float) -> Tensor:
        """The same loss, on the rows of the batch and of drawn tokens; validation always draws the same tokens."""
        network = self.network
        assert self.settings.negatives
        assert self.proposal is not None
        generator = None if self.training else torch.Generator().manual_seed(0)
        drawn = self.proposal.draw(self.settings.negatives, generator)
        same = labels is inputs
        touched, numbers = self.touched.number(drawn.tokens, inputs.tokens, *([] if same else [labels.tokens]))
        lists = renumbered(inputs, numbers, len(touched))
        vectors = network.table(touched)  # (U, D)
        return softmax_loss(
            network.hidden_of(lists.mean(vectors)),
            network.augmented(vectors),
            network.bias(touched)[:, 0],
            lists if same else renumbered(labels, numbers, len(touched)),
            power,
            excluded._replace(tokens=numbers[excluded.tokens]) if excluded is not None else None,
            drawn.at(numbers),
        )

    def configure_optimizers(self) -> Any:
        """An optimiser with a learning rate of its own for the biases, and weight decay for the table only."""
        groups = [
            {"params": [self.network.table.weight], "weight_decay": self.settings.weight_decay},
            {"params": [self.network.bias.weight], "weight_decay": 0.0, "lr": self.settings.bias_learning_rate},
        ]
        if self.proposal is not None:
            assert self.settings.learning_rate is not None
            return self._along_a_cosine(RowWiseAdagrad(groups, lr=self.settings.learning_rate))
        return self._along_a_cosine(self._adamw(groups, betas=(0.9, 0.99)))


def _share_of(lists: Lists, low: float, high: float) -> Tensor:
    """Mark (T,) a random share of each list, between low and high; the first token where no token was drawn."""
    share = low + (high - low) * torch.rand(len(lists.offsets))
    kept = torch.rand(len(lists.tokens)) < share[lists.rows]
    nothing = torch.bincount(lists.rows[kept], minlength=len(lists.offsets)) == 0
    lengths = torch.bincount(lists.rows, minlength=len(lists.offsets))
    kept[lists.offsets[nothing & (lengths > 0)]] = True
    return kept


def missing_tokens_network(
    rows: ExampleSet,
    settings: MissingTokensTraining,
    dimension: int,
    temperature: float,
    seed: int,
    dtype: str = "float64",
) -> MissingTokensNetwork:
    """The network at its start: its table has PCA's loadings, scaled to a mean squared length of 1.

    The biases are 0, or the log popularity of the tokens where negatives are drawn. Before PCA, each token's column is
    divided by the fourth root of its count n. Undivided, the most frequent tokens lead PCA; divided by sqrt(n), which
    is nearly PCA of the correlations, the rare tokens do. The fourth root is half-way.
    """
    n = np.maximum(rows.inputs.counts, 1)  # (V,)
    solver = "randomised" if settings.negatives else "arpack"
    some = _sample_of(rows.inputs, seed) if settings.negatives else rows.inputs.csr(dtype)
    table = principal_components(some, dimension, seed, solver, n**-0.25, ROUGHLY).loadings  # (V, D)
    table /= max(math.sqrt(np.square(table).sum(axis=1).mean()), 1e-12)
    # where few tokens compete at a step, the biases get too few steps to move all the way from 0
    bias = np.log(n / n.mean()) if settings.negatives else np.zeros(len(n))
    return MissingTokensNetwork(
        tensor(table, dtype),
        tensor(bias, dtype),
        settings.lift,
        temperature,
        settings.dropout,
        sparse=bool(settings.negatives),
    )


def _sample_of(rows: SparseRows, seed: int) -> sparse.csr_matrix:
    """All examples, or a random sample with about `MOST_PAIRS` pairs, in the order of the examples."""
    share = MOST_PAIRS / max(int(rows.lengths.sum()), 1)
    if share >= 1:
        return rows.csr()
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[: math.ceil(share * len(rows))])]
