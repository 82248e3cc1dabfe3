"""How the network of each task is trained, and the defaults that the size of the data decides."""

import math
from typing import Literal, Self

from pydantic import Field

from pipeline.config.section import Numbers, Section

MANY_LOGITS = 2 * 10**9
"""Examples x tokens: more than so many are neither trained on in an epoch nor judged."""


class _Training(Section):
    batch_size: int | None = Field(None, ge=1)
    """Examples a step. Default: by the number of training examples."""
    max_epochs: int | None = Field(None, ge=1)
    """Passes over the training examples, at most; the cosine schedule ends there. Default: by that number, too."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many epochs without a better validation loss, and keep the best. Default: go on to the end of the
    schedule, and keep that unless the epoch with the best loss scores better on validation, beyond doubt."""
    devices: int = Field(1, ge=1)
    """Processes that train together, each on a part of the examples; a step's batch is divided among them."""
    strategy: Literal["ddp_spawn"] = "ddp_spawn"
    """Lightning's, where there are more than one: the processes are started by the one that runs the pipeline.
    (Lightning's `ddp` would start the whole command again in each, and with it the whole pipeline.)"""


class MissingTokensTraining(_Training):
    """How the network for missing tokens is trained."""

    kind: Literal["missing_tokens"] = Field("missing_tokens", repr=False)
    learning_rate: float | None = Field(None, gt=0)
    """At the start; it falls to 0 along a cosine. Default: 0.03, of AdamW; where negatives are drawn 0.7, of Adagrad by
    row."""
    bias_learning_rate: float | None = Field(None, gt=0)
    """Of the tokens' biases, which learn how popular each is. Default: 0.06; where negatives are drawn 0.1."""
    weight_decay: float = Field(0.0, ge=0)
    """Of the table: each step shrinks it by learning rate x this."""
    temperature: Numbers | None = None
    """The cosines are divided by it: the smaller, the sharper the softmax. Of several values validation chooses.
    Default: by the number of training examples N, 0.1 + 1 / sqrt(N): the fewer, the softer; where negatives are drawn
    0.12."""
    lift: float = Field(1.0, gt=0)
    """The constant that is appended to a place before its length is brought to 1; tokens have length 1 at the start."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the hidden nodes that is left out at each step."""
    input_share: tuple[float, float] = (1.0, 1.0)
    """Between these shares of a training list go in, drawn anew for each example and epoch; all of it is predicted."""
    decoupled: bool = True
    """A label competes with the tokens outside its list only, not with the list's other ones."""
    label_power: float = Field(0.5, ge=0, le=1)
    """An example with n labels has the weight n^(1 - this): 1 weighs all examples alike, 0 all labels."""
    negatives: int | None = Field(None, ge=0)
    """Sampled softmax: so many tokens, drawn anew at each step, stand for all that a label competes with, and a step
    learns from the rows of the table that it touches. 0: all compete. Default: 0 up to N x V = 2 billion, beyond that
    4,096."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every default that the data decides.

        N / 8 examples a step, between 64 and 1,024; 10 epochs, or as many as make 300 steps. Where negatives are drawn
        3 epochs come as far.
        """
        size = self.batch_size or min(max(round(n_examples / 8), 64), 1024)
        negatives = self.negatives
        if negatives is None:
            negatives = 4096 if n_examples * n_tokens > MANY_LOGITS else 0
        if negatives >= n_tokens:
            negatives = 0
        softness = 0.12 if negatives else round(0.1 + 1 / math.sqrt(n_examples), 4)
        epochs = max(3 if negatives else 10, math.ceil(300 / math.ceil(n_examples / size)))
        return self.model_copy(
            update={
                "batch_size": size,
                "max_epochs": self.max_epochs or epochs,
                "temperature": self.temperature or (softness,),
                "negatives": negatives,
                "learning_rate": self.learning_rate or (0.7 if negatives else 0.03),
                "bias_learning_rate": self.bias_learning_rate or (0.1 if negatives else 0.06),
            }
        )


class RegressionTraining(_Training):
    """How the network for a number is trained."""

    kind: Literal["regression"] = Field("regression", repr=False)
    learning_rate: float = Field(0.003, gt=0)
    """Of AdamW at the start; it falls to 0 along a cosine."""
    table_weight_decay: float = Field(0.1, ge=0)
    """Of the table: each step shrinks it by learning rate x this."""
    weight_decay: float = Field(0.2, ge=0)
    """Of the head's matrices."""
    token_dropout: float | None = Field(None, ge=0, lt=1)
    """Share of an example's tokens that is left out at each step. Default: by tokens V and training examples N."""
    hidden: int = Field(128, ge=1)
    """Nodes of each of the head's two layers."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of the head's nodes that is left out at each step."""
    huber: float = Field(1.0, gt=0)
    """Errors above it (standard deviations of the target) count linearly, not squared."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every default that the data decides.

        About 75 steps an epoch, in batches that are a power of 2 between 32 and 1024; as many epochs as make 2,250
        steps, between 30 and 60; the more tokens for an example, the more dropout: 2V / (2V + N), between .1 and .6.
        """
        size = self.batch_size or min(max(2 ** round(math.log2(max(n_examples / 75, 1))), 32), 1024)
        epochs = self.max_epochs or min(max(30, math.ceil(2250 / math.ceil(n_examples / size))), 60)
        dropout = min(max(2 * n_tokens / (2 * n_tokens + n_examples), 0.1), 0.6)
        chosen: dict[str, float] = {"batch_size": size, "max_epochs": epochs}
        return self.model_copy(update=chosen | ({"token_dropout": dropout} if self.token_dropout is None else {}))
