"""How a network for a number or a class is trained: the settings that regression and classification share."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field

from pipeline.config.size import Size
from pipeline.config.training import Training

UNKNOWN_NOISE = 1 / 3
"""The ratio of noise to signal, (1 - R^2) / R^2, that is taken where none is measured."""
UNKNOWN_PENALTY = 0.08
"""The penalties of a linear model that are taken where there is no validation; see `network.linear_model`."""
MANY = 2_400
"""Training examples from which on the head is trained more boldly, and may have several members."""
SOLVED = 4_000_000
"""Numbers in the coordinates that are solved for, at most: more would take more memory than the training."""


class TargetTraining(Training):
    """How a network that predicts a column of the records is trained.

    Beside it stands a linear model that is solved for: `patience` says when the fit is that model.
    """

    most_epochs: ClassVar[int] = 60
    several: ClassVar[int] = 1
    """Members of a head that learns from many examples."""
    most_doublings: ClassVar[int] = 0
    """Times that a training on many examples is made twice as long, unless conf says otherwise."""

    learning_rate: float | None = Field(None, gt=0)
    """Learning rate of AdamW at the start; it falls to 0 along a cosine. Default: 0.003 sqrt(`batch_size` / 32): the
    mean of more examples is surer."""
    table_weight_decay: float = Field(0.1, ge=0)
    """Weight decay of the table: each step shrinks it by learning rate x this."""
    weight_decay: float | None = Field(None, ge=0)
    """Weight decay of the head's matrices. Default: 480 / N for N training examples, at most 0.2: what is believed
    beforehand counts for less, the more is seen."""
    token_dropout: float | None = Field(None, ge=0, lt=1)
    """Share p of an example's tokens that are left out at each step. Default: the more tokens for each example, and the
    more noise in the target, the more: p / (1 - p) = 6 V/N (1 - R^2) / R^2, at most 0.6, with the R^2 of a linear model
    on the validation examples; without them, and for a class where that is more, 2 V/N."""
    hidden: int = Field(128, ge=1)
    """Nodes of each of the head's two layers."""
    members: int | None = Field(None, ge=1)
    """Members of the head, which share its matrices and begin with signs of their own: where there are dense features,
    the mean of several errs less. Default: 4 for a number that is learned from 2,400 examples or more, otherwise 1.
    Without dense features it is 1."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Share p of the head's nodes that are left out at each step. Default: the more examples, the fewer, since more are
    harder to learn by heart: p / (1 - p) = 10 / sqrt(N), at most 0.3."""
    doublings: int | None = Field(None, ge=0)
    """Times at most that a training is repeated with twice the epochs: as long as the longer one is better on
    validation by a standard error. It is tried where the loss there was lowest in the second half of the epochs.
    Default: 2 for a number that is learned from 2,400 examples or more, unless `max_epochs` or `patience` is set;
    otherwise 0."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """A copy with every default that depends on the data filled in.

        The batch size is a power of 2, between 32 and 1024, that makes about 75 steps an epoch. There are as many
        epochs as make 2,250 steps, between 30 and `most_epochs`. The learning rate grows with the square root of the
        batch size (Malladi et al., 2022, "On the SDEs and scaling rules for adaptive gradient algorithms").
        """
        odds = 10 / math.sqrt(max(n_examples, 1))
        size = self.batch_size or min(max(2 ** round(math.log2(max(n_examples / 75, 1))), 32), 1024)
        is_free = n_examples >= MANY and not (self.max_epochs or self.patience)
        doublings = (self.most_doublings if is_free else 0) if self.doublings is None else self.doublings
        epochs = self.max_epochs or min(max(30, math.ceil(2250 / math.ceil(n_examples / size))), self.most_epochs)
        return self.model_copy(
            update={
                "batch_size": size,
                "max_epochs": epochs,
                "doublings": doublings,
                "learning_rate": self.learning_rate or 0.003 * math.sqrt(size / 32),
                "weight_decay": 480 / max(n_examples, MANY) if self.weight_decay is None else self.weight_decay,
                "members": self.members or (self.several if n_examples >= MANY else 1),
                "dropout": min(odds / (1 + odds), 0.3) if self.dropout is None else self.dropout,
            }
        )

    def choices(self) -> list[dict[str, Any]]:
        """One, for data without validation: a training on bags that are sums, and penalties in the middle.

        The token dropout is still None where it depends on the target.
        """
        penalties = {"penalty": UNKNOWN_PENALTY, "dense_penalty": UNKNOWN_PENALTY}
        return [{"token_dropout": self.token_dropout, "one_length": False, "max_epochs": self.max_epochs, **penalties}]

    def longer(self, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chosen candidate with twice the epochs, and twice again."""
        return [{**chosen, "max_epochs": chosen["max_epochs"] * 2**i} for i in range(1, (self.doublings or 0) + 1)]

    def memory(self, size: Size, dimension: int) -> int:
        """The solver of the linear model keeps about 60 copies of the coordinates that it solves for."""
        return super().memory(size, dimension) + 60 * 8 * size.v * most_solved(size.v, dimension)


def most_solved(n_tokens: int, dimension: int) -> int:
    """The number of the D coordinates that are solved for, at most: there are V numbers in each.

    >>> most_solved(4_000, 16), most_solved(500_000, 16), most_solved(10_000_000, 16)
    (16, 8, 1)
    """
    return min(dimension, max(SOLVED // n_tokens, 1))


def token_dropout(tokens_per_example: float, noise_to_signal: float) -> float:
    """The share p of tokens to leave out: p / (1 - p) = 6 V/N (1 - R^2) / R^2, at most 0.6.

    Dropout acts on a linear model as a ridge penalty of p / (1 - p) times the sum of squares of a token's column
    (Wager, Wang and Liang, 2013, "Dropout training as adaptive regularization"). The penalty that is right is the
    variance of the noise over that of a coefficient: R^2 is spread over V coefficients, which N examples tell. That
    gives the formula without its factor, which is measured: the network has more to learn than V coefficients.

    Args:
        tokens_per_example: V / N.
        noise_to_signal: (1 - R^2) / R^2.

    >>> token_dropout(0.5, UNKNOWN_NOISE), token_dropout(0.03, 0.0), token_dropout(0.03, 50)
    (0.5, 0.0, 0.6)
    """
    odds = 6 * tokens_per_example * noise_to_signal
    return min(odds / (1 + odds), 0.6)
