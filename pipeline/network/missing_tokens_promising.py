"""Which temperatures and powers of the counts are worth a training: the start of the network tells most of it.

Of the temperatures: a softmax that is too sharp believes each pair of tokens that it has seen, and one that is too soft
believes none. Which is right depends on how much the tokens of a list say about each other. PCA's vectors know that
already: the loss of held-out tokens with them costs no training. What is learned is a little sharper or softer than the
start suggests, so that its neighbours are tried too.

Of the powers of the counts, by which columns are divided before PCA: from where PCA tells more of held-out tokens,
training finds more too. Training hardly leaves the directions of the start, be they those of small groups of tokens or
of chance.
"""

from collections.abc import Sequence

import numpy as np
import torch

from pipeline.embedding import Problem
from pipeline.examples.example_set import ExampleSet
from pipeline.network.batches import Batches
from pipeline.network.layers import tensor
from pipeline.network.losses import softmax_loss
from pipeline.network.missing_tokens_network import MissingTokensNetwork
from pipeline.network.missing_tokens_start import missing_tokens_network
from pipeline.tasks.missing_tokens import MissingTokensTraining

DIMENSIONS = 8
"""At most so many dimensions are looked at: with more, PCA takes longer, and tells temperatures apart less clearly."""
EXAMPLES, LOGITS = 1000, 2**27
"""At most this many validation examples are looked at, and so many logits of theirs."""
MARGIN = 0.1
"""A softer temperature is tried if its loss at the start is at most this much higher than the lowest, in nats."""
CLEARLY = 0.01
"""Another power than the first is taken if its lowest loss at the start is lower by more than this, in nats."""


def best_power(
    problem: Problem, settings: MissingTokensTraining, powers: Sequence[float], temperatures: Sequence[float]
) -> tuple[float, list[float]]:
    """The power of the counts from which a held-out token has the lowest loss, and that loss at each temperature.

    Args:
        problem: with validation examples.
        settings: the training settings, resolved.
        powers: to compare.
        temperatures: to compare.
    """
    losses = {power: _losses(problem, settings, power, temperatures) for power in powers}
    lowest = min(losses, key=lambda power: min(losses[power]))
    kept = lowest if min(losses[lowest]) < min(losses[powers[0]]) - CLEARLY else powers[0]
    return kept, losses[kept]


def _losses(
    problem: Problem, settings: MissingTokensTraining, power: float, temperatures: Sequence[float]
) -> list[float]:
    """The loss of a held-out token at each temperature, from the start that a power of the counts gives."""
    assert problem.dimension is not None
    assert problem.validation is not None
    conf, counts = problem.conf, np.maximum(problem.training.inputs.counts, 1)
    few, alone = min(problem.dimension, DIMENSIONS), settings.model_copy(update={"count_power": (power,)})
    network = missing_tokens_network(problem.training, alone, few, 1.0, conf.seed, conf.dtype)
    network.bias.weight.data[:, 0] = tensor(np.log(counts / counts.mean()), conf.dtype)
    return losses_at_start(network, problem.validation, temperatures)


def worth_trying(losses: Sequence[float]) -> range:
    """Which temperatures to try: the one with the lowest loss, the next sharper, and the next softer if it is close.

    Args:
        losses: of each temperature at the start, the sharpest first.

    >>> worth_trying([6.9, 7.1, 7.3]), worth_trying([4.5, 3.8, 3.75]), worth_trying([5.0, 4.6, 4.65])
    (range(0, 1), range(1, 3), range(0, 3))
    """
    best = int(np.argmin(losses))
    softer = best + 1 < len(losses) and losses[best + 1] <= losses[best] + MARGIN
    return range(max(best - 1, 0), best + 1 + softer)


def losses_at_start(network: MissingTokensNetwork, rows: ExampleSet, temperatures: Sequence[float]) -> list[float]:
    """The mean loss of a held-out token with each temperature, where the biases are the tokens' log popularity.

    Args:
        network: at its start; it is changed.
        rows: validation examples, with the counts of the training examples.
        temperatures: to compare.
    """
    n = min(len(rows), EXAMPLES, max(LOGITS // len(network.table.weight), 1))
    some = np.linspace(0, len(rows) - 1, n).astype(np.int64).tolist()
    batch = Batches(rows, rows.dense, rows.target)[some]
    inputs, labels = batch["inputs"], batch["labels"]
    losses = []
    with torch.no_grad():
        bags = inputs.mean(network.table.weight)
        for temperature in temperatures:
            network.temperature.fill_(temperature)
            logits_of = network.hidden_of(bags), network.outputs(), network.bias.weight[:, 0]
            losses.append(float(softmax_loss(*logits_of, labels, 1.0, inputs.joined(labels))))
    return losses
