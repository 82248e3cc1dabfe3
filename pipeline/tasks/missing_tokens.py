"""The task of missing tokens: which tokens are missing from a list?

Some tokens of a held-out example go in; the others are its labels.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import dataframely as dy
import numpy as np
import polars as pl
from pydantic import Field

from pipeline.arrays import Array
from pipeline.config.section import NotNegative, Positive, Shares
from pipeline.config.size import MANY_LOGITS, Size
from pipeline.config.task import Task
from pipeline.config.training import Forgot, Training
from pipeline.embedding import Fitted
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import Metric
from pipeline.evaluation.ranking import hits_of, ndcg_at, recall_at
from pipeline.examples.beside import Beside, nothing
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples

POWERS = (0.25, 0.5)
"""Of the counts: half-way between frequent tokens first and all alike, and all alike."""
SOFT = (0.3, 1.0, 3.0)
"""Temperatures for lists whose tokens say little about each other, such as short lists of few tokens."""
DECAYS = (0.0, 1.5, 5.0, 15.0)
"""Weight decays of the table. With one above 0 a coordinate stays below its inverse, so that what few lists say moves a
token less, and the directions that many lists agree on are left."""
A_LITTLE, MUCH = 0.02, 0.5
"""Shares of what a training had learned that it forgot again."""
FEW_EXAMPLES, FEW_STEPS = 5000, 1000
"""Of more examples, what is learned is hardly chance; of more steps, one wants to see the losses as they come."""
FEW_TOKENS = 40
"""Up to so many tokens, recall_at_20 tells fits hardly apart: it is 1 where no more than 20 are left to rank."""
MOST_PAIRS = 20_000_000
"""With more pairs, a seeded sample of the examples decides where training starts: its pairs are in memory."""


class RankingScores(dy.Schema):
    """How well the missing tokens of one held-out example were found."""

    example = dy.String(primary_key=True, description="id of the example")
    held_out = dy.UInt32(min=1, description="its held-out tokens")
    recall_at_20 = dy.Float64(min=0, max=1, description="held-out tokens in the top 20 / held-out tokens")
    recall_at_50 = dy.Float64(min=0, max=1, description="held-out tokens in the top 50 / held-out tokens")
    ndcg_at_20 = dy.Float64(min=0, max=1, description="discounted gain of the top 20 / the best possible")
    ndcg_at_100 = dy.Float64(min=0, max=1, description="discounted gain of the top 100 / the best possible")


class MissingTokens(Task):
    """Which tokens are missing from this list? Softmax over the whole vocabulary."""

    network: ClassVar[str] = "pipeline.network.missing_tokens_network"
    answers_with: ClassVar[str] = "pipeline.inference.recommender.Recommender"
    usual_baselines: ClassVar[tuple[str, ...]] = ("popularity", "als")
    learner: ClassVar[str] = "pipeline.network.missing_tokens_module"
    predicts_tokens: ClassVar[bool] = True
    weighs_by_logarithm: ClassVar[bool] = True
    renamed: ClassVar = {"judged": "it is `evaluated` now"}

    kind: Literal["missing_tokens"]
    fold_in: float = Field(0.3, gt=0, lt=1)
    """Share of a held-out example's tokens that go in; the others are its ground-truth labels (0.3: 3 in, 7 out)."""
    evaluated: int | None = Field(None, ge=1)
    """Evaluate at most this many validation examples, and as many test examples; if there are more, a seeded sample.
    Default: 10,000, or as many as make 2 billion logits if that is more."""
    primary: Literal["recall_at_20", "ndcg_at_20", "recall_at_50", "ndcg_at_100"] | None = None
    """The metric by which validation chooses, and which people are told first. Default: recall_at_20; with up to 40
    tokens ndcg_at_20, because nearly all tokens are among the first 20 then."""

    def resolved(self, n_tokens: int) -> Self:
        """A copy with the defaults of `evaluated` and `primary` filled in."""
        return self.model_copy(
            update={
                "evaluated": self.evaluated or max(10_000, MANY_LOGITS // n_tokens),
                "primary": self.primary or ("recall_at_20" if n_tokens > FEW_TOKENS else "ndcg_at_20"),
            }
        )

    @property
    def share_in(self) -> float:
        """`fold_in`."""
        return self.fold_in

    @property
    def most_evaluated(self) -> int | None:
        """`evaluated`."""
        return self.evaluated

    def beside(self, used: pl.LazyFrame, ids: pl.Series, where: str) -> Beside:
        """Nothing: an example has only tokens."""
        return nothing(len(ids))

    def require_answers(self, examples: SparseExamples, where: str) -> None:
        """Refuse a held-out part in which no example has two tokens.

        Raises:
            PipelineError: there is such a part; the message names it.
        """
        for part in HELD_OUT:
            rows = examples.held_out(part)
            if len(rows) and not rows.labels.lengths.any():
                raise PipelineError(
                    f"{where}, task: none of the {len(rows)} {part} examples has two known tokens, one to go in and "
                    "one to predict. Look at `example`, which says what rows are one, and at `vocabulary.min_count`."
                )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics of the ranking of all tokens except those that went in, `primary` first."""
        recall = "share of an example's held-out tokens that are among the first {}"
        gain = (
            "gain of the held-out tokens among the first {}, discounted by their rank, as a share of the best possible"
        )
        measures = (("recall", recall, 20), ("ndcg", gain, 20), ("recall", recall, 50), ("ndcg", gain, 100))
        every = [Metric(f"{name}_at_{k}", f"{what.format(k)}, mean over the examples") for name, what, k in measures]
        return tuple(sorted(every, key=lambda metric: metric.name != self.primary))

    def scores(self, fitted: Fitted, rows: ExampleSet) -> pl.DataFrame:
        """A frame of `RankingScores`; an example without a held-out token is left out."""
        hits, held_out = hits_of(fitted, rows)
        counted = held_out > 0
        hits, held_out = hits[counted], held_out[counted]
        columns = {f"recall_at_{k}": recall_at(k, hits, held_out) for k in (20, 50)} | {
            f"ndcg_at_{k}": ndcg_at(k, hits, held_out) for k in (20, 100)
        }
        ids = rows.ids.filter(pl.Series(counted))
        return RankingScores.validate(pl.DataFrame({"example": ids, "held_out": held_out.astype(np.uint32), **columns}))

    def weighted_metrics(self, scores: pl.DataFrame, weights: Array) -> dict[str, Array]:
        """The weighted means over the examples."""
        names = [metric.name for metric in self.metrics if metric.name in scores.columns]
        means = weights @ scores.select(names).to_numpy() / weights.sum(axis=1, keepdims=True)  # (R, metrics)
        return dict(zip(names, means.T, strict=True))


class MissingTokensTraining(Training):
    """How the network for missing tokens is trained."""

    kind: Literal["missing_tokens"] = Field("missing_tokens", repr=False)
    learning_rate: float | None = Field(None, gt=0)
    """Learning rate at the start; it falls to 0 along a cosine. Default: 0.03 for AdamW, or 0.7 for row-wise Adagrad,
    which is used if negatives are drawn."""
    bias_learning_rate: float | None = Field(None, gt=0)
    """Learning rate of the biases, which learn the tokens' popularity. Default: 0.06, or 0.1 if negatives are drawn."""
    weight_decay: NotNegative | None = None
    """Weight decay of the table: each step shrinks it by learning rate x this. The first value is tried. Where the loss
    on validation rises again at the next sharper temperature than the chosen one, or by half of what it had fallen at
    the chosen one, the others are tried there, unless there is a `weight`; one is kept if better by a standard error.
    Default: 0, and up to 5,000 training examples and 1,000 steps also 1.5, 5 and 15, unless negatives are drawn."""
    temperature: Positive | None = None
    """The cosines are divided by it: the smaller it is, the sharper the softmax. Validation chooses among several
    values. Default: 0.1 + 1 / sqrt(N) for N training examples (the fewer, the softer), 0.3, 1 or 3; validation chooses
    among those of them that PCA's vectors speak for. If negatives are drawn: 0.12."""
    count_power: NotNegative | None = None
    """Training starts at PCA's places. Before, each token's column is divided by this power of its count: with 0 the
    most frequent tokens lead PCA, with 0.5 (nearly PCA of the correlations) all count the same. Of several it is the
    one with which PCA alone tells most on validation. Default: 0.25 or 0.5; if negatives are drawn 0.25."""
    lift: float = Field(1.0, gt=0)
    """The constant that is appended to a vector before it is scaled to length 1; tokens start with length 1 (RMS)."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the hidden nodes that are left out at each step."""
    input_share: Shares = (1.0, 1.0)
    """Range of the share of a training list that goes in, drawn anew for each example and epoch; all is predicted."""
    cut: bool | None = None
    """Whether each list is cut in two at random, anew in each epoch, and each part predicts the other; else all of a
    list predicts all of it, and so each token also itself. Default: validation chooses where lists have up to 20 tokens
    on average and training makes up to 2 billion logits (epochs x N x V), without a `weight`, an order of the tokens,
    `negatives` or `input_share`; elsewhere, no."""
    decoupled: bool = True
    """A label competes only with the tokens outside its list, not with the other tokens of the list."""
    label_power: float = Field(0.5, ge=0, le=1)
    """An example with n labels has the weight n^(1 - this): with 1 all examples weigh the same, with 0 all labels."""
    negatives: int | None = Field(None, ge=0)
    """Sampled softmax: this many tokens, drawn anew at each step, stand for all tokens that a label competes with, and
    a step changes only the rows that it needs. 0: all compete. Default: 0 up to N x V = 2 billion, 4,096 beyond."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """A copy with every default that depends on the data filled in.

        A step has N / 8 examples, between 64 and 1,024, rounded up: rounded down, a ninth step of one or two examples
        would end each epoch, and cost more than it teaches. There are 10 epochs, or as many as make 300 steps if that
        is more. If negatives are drawn, 3 epochs take the place of the 10: they get as far.
        """
        size = self.batch_size or min(max(math.ceil(n_examples / 8), 64), 1024)
        many = 4096 if n_examples * n_tokens > MANY_LOGITS else 0
        negatives = many if self.negatives is None else self.negatives
        negatives = negatives if negatives < n_tokens else 0
        softness = 0.12 if negatives else round(0.1 + 1 / math.sqrt(n_examples), 4)
        in_epoch = math.ceil(n_examples / size)
        epochs = self.max_epochs or max(3 if negatives else 10, math.ceil(300 / in_epoch))
        few = n_examples <= FEW_EXAMPLES and epochs * in_epoch <= FEW_STEPS
        is_quick = epochs * n_examples * n_tokens <= MANY_LOGITS
        return self.model_copy(
            update={
                "batch_size": size,
                "max_epochs": epochs,
                "temperature": self.temperature or (softness, *(() if negatives else _softer(softness))),
                "weight_decay": self.weight_decay or (DECAYS if few and not negatives else DECAYS[:1]),
                "count_power": self.count_power or (POWERS[:1] if negatives else POWERS),
                "cut": self.cut if is_quick and not negatives and self.input_share == (1.0, 1.0) else bool(self.cut),
                "negatives": negatives,
                "learning_rate": self.learning_rate or (0.7 if negatives else 0.03),
                "bias_learning_rate": self.bias_learning_rate or (0.1 if negatives else 0.06),
            }
        )

    def memory(self, size: Size, dimension: int) -> int:
        """Bytes at the peak; where negatives are drawn, few rows have a gradient at a step, and PCA sees a sample."""
        if not self.negatives:
            return super().memory(size, dimension)
        if self.is_divided(size.v, dimension, size.number):  # this process counts the tokens; the table is a file
            return 16 * size.v
        sample = size._replace(pairs=min(size.pairs, MOST_PAIRS), number=4)
        return self.devices * 2 * size.vectors(dimension) + sample.of_pca(dimension)

    def choices(self) -> list[dict[str, Any]]:
        """One candidate for each temperature, with the first weight decay and the first power of the counts."""
        (decay, *_), (power, *_) = self.weight_decay or DECAYS, self.count_power or POWERS
        first = {"weight_decay": decay, "cut": int(bool(self.cut)), "count_power": power}
        return [{"temperature": one, **first} for one in self.temperature or ()]

    def others(self, chosen: Mapping[str, Any], forgot: Forgot) -> list[dict[str, Any]]:
        """The other weight decays, with the next sharper temperature if it forgot a little, or else with the same."""
        # a softer temperature is chosen where a sharper one believes chance: with a decay it does not, and tells more
        sharper = max((one for one in self.temperature or () if one < chosen["temperature"]), default=None)
        for temperature, share in ((sharper, A_LITTLE), (chosen["temperature"], MUCH)):
            first = {**chosen, "temperature": temperature}
            if any(one == first and lost > share for one, lost in forgot):
                return [first | {"weight_decay": one} for one in (self.weight_decay or ())[1:]]
        return []

    @property
    def has_usual_temperatures(self) -> bool:
        """Whether several temperatures are compared, those of the default."""
        first, *others = self.temperature or (0.0,)
        return bool(others) and tuple(others) == _softer(first)


def _softer(temperature: float) -> tuple[float, ...]:
    """The soft temperatures that are clearly softer than this one."""
    return tuple(soft for soft in SOFT if soft > 1.5 * temperature)
