"""The columns of the raw records: which of them a conf names, what they have to hold, and where their numbers are."""

from collections.abc import Iterable, Mapping

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.task import Column, Number
from pipeline.errors import PipelineError, nearest
from pipeline.records.source import paths
from pipeline.records.source.delimited import SEPARATORS
from pipeline.records.source.names import is_pattern, without_name
from pipeline.records.tokens.naming import texts_of
from pipeline.records.values.numbers import TRUTHS
from pipeline.records.values.times import require_times, time_column


def roles(conf: Dataset) -> Mapping[str, str]:
    """The role of each column of the raw records that a conf names, in words."""
    of_column: dict[str, list[str]] = {}
    for column in named_columns(conf):
        of_column.setdefault(column.name, []).append(column.role)
    if conf.source.period is not None:
        of_column.setdefault(conf.source.period.column, []).append("says in which period a row is")
    numbers = {number_column(one.column): f"the numbers that {one.column} says" for one in conf.numbers()}
    times = {time_column(name): f"the times that {name} says" for name in (conf.split.time,) if name}
    return numbers | times | {name: "; ".join(parts) for name, parts in of_column.items()}


def named_columns(conf: Dataset) -> list[Column]:
    """Every column of the raw records that a conf names, with the key that names it."""
    named = [Column("example", conf.example, "says which example a row belongs to")] if conf.example else []
    for i, tokens in enumerate(conf.tokens):
        named += [column._replace(key=f"tokens[{i}].{column.key}") for column in tokens.named_columns()]
    if conf.weight is not None:
        named.append(Column("weight", conf.weight, "how much the row's tokens count"))
    if conf.split.column:
        named.append(Column("split.column", conf.split.column, "train, validation or test"))
    if conf.split.time:
        named.append(Column("split.time", conf.split.time, "says when, for the split"))
    if conf.split.group:
        named.append(Column("split.group", conf.split.group, "which examples stay together in the split"))
    return named + [column._replace(key=f"task.{column.key}") for column in conf.task.named_columns()]


def number_column(column: str) -> str:
    """The column of the raw records that holds the numbers which were read from a column of texts."""
    return f"{column} (number)"


def number(column: str, schema: pl.Schema) -> pl.Expr:
    """The values of a column as float64; null if a record has none."""
    read = number_column(column)
    value = pl.col(read if read in schema else column).cast(pl.Float64)
    return value.fill_nan(None)


def truths_among(numbers: Iterable[Number], records: pl.LazyFrame) -> set[str]:
    """The columns of numbers that hold nothing but true and false, also as texts, which count as 1 and 0."""
    schema = records.collect_schema()
    columns = {number.column for number in numbers}
    texts = [name for name in columns if schema[name] == pl.String]
    is_truth = [pl.col(name).str.strip_chars().str.to_lowercase().is_in([*TRUTHS]) for name in texts]
    only = records.select(one.any() & one.all() for one in is_truth).collect(engine="streaming") if is_truth else None
    of_texts = set() if only is None else {name for name in texts if only[name].item()}
    return of_texts | {name for name in columns if schema[name] == pl.Boolean}


def needed_columns(conf: Dataset) -> list[str]:
    """The columns of the source that will be used, by the names that the source gives them."""
    before = {new: old for old, new in conf.source.rename.items()}
    return [before.get(column.name, column.name) for column in named_columns(conf)]


def renamed(conf: Dataset, columns: pl.Schema, may_lack: bool) -> pl.Schema:
    """The columns of a source by the names that conf gives them.

    Args:
        conf: the dataset.
        columns: the columns of the source.
        may_lack: whether a column that conf renames may be missing, as long as nothing is read from it.

    Raises:
        PipelineError: conf renames a column that is not there, gives two columns one name, or gives one a pattern.
    """
    where, names_of = paths.name(conf.source), conf.source.rename
    named = {column.name for column in named_columns(conf)}
    for old, new in names_of.items():
        if old not in columns and not (may_lack and new not in named):
            raise PipelineError(
                f"{conf.file}, source.rename: there is no column {old!r} in {where}, {nearest(old, columns.names())}"
            )
    names = [names_of.get(name, name) for name in columns.names()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PipelineError(f"{conf.file}, source.rename: {where} would have two columns {twice!r}.")
    odd = next(filter(is_pattern, names), None)
    if odd is not None:
        raise PipelineError(f"{conf.file}, source.rename: {odd!r} is a pattern for many columns. Choose another name.")
    return pl.Schema(zip(names, columns.dtypes(), strict=True))


def require_columns(conf: Dataset, schema: pl.Schema) -> None:
    """Refuse a source that lacks a column that conf names, or whose columns hold what cannot be used.

    Raises:
        PipelineError: names the key, the column and the source.
    """
    where, duplicates = paths.name(conf.source), conf.source.drop_duplicates
    keys = [
        (f"source.drop_duplicates[{i}]", name)
        for i, name in enumerate(duplicates if isinstance(duplicates, tuple) else ())
    ]
    keys += [("source.units", name) for name in conf.source.units]
    for key, column in [*((key, name) for key, name, _ in named_columns(conf)), *keys]:
        if column not in schema:
            cure = _cure(schema.names())
            raise PipelineError(
                f"{conf.file}, {key}: there is no column {column!r} in {where}, {nearest(column, schema.names())}{cure}"
            )
    for number in conf.numbers():
        dtype = schema[number.column]
        is_truth = dtype == pl.Boolean and not number.above_0  # false is 0
        if dtype != pl.String and not (dtype.is_numeric() or is_truth):
            asked = "a number above 0" if number.above_0 else "a number"
            holds = "has no value at all" if dtype == pl.Null else f"holds {dtype}"
            raise PipelineError(
                f"{conf.file}, {number.key}: the column {number.column!r} of {where} {holds}, and {asked} is asked for."
            )
    if conf.split.time:
        require_times(conf, "split.time", conf.split.time, schema[conf.split.time], where)
    for tokens in conf.tokens:
        for column in tokens.columns:
            texts_of(tokens, column, schema[column], conf)
    for key, column, _ in _read_as_texts(conf):
        dtype = schema[column]
        if dtype.is_nested() or dtype == pl.Duration:
            said = f"the column {column!r} of {where} holds {dtype}, and a text or a number is asked for"
            raise PipelineError(f"{conf.file}, {key}: {said}. Name another column.")


def _cure(names: list[str]) -> str:
    """A question about how the source is read, where its names look like no names of columns."""
    is_one = len(names) == 1
    if is_one and any(mark in names[0] for mark in SEPARATORS):
        return " (is `source.separator` right?)"
    is_a_title = is_one and " " in names[0]
    is_a_title |= any(name == without_name(place) for place, name in enumerate(names, 1))
    return " (do lines stand above the names of the columns? `source.skip` says how many)" if is_a_title else ""


def _read_as_texts(conf: Dataset) -> list[Column]:
    """The columns whose values are ids, parts, classes, or what people read about a token."""
    others = {number.key for number in conf.numbers()} | {"split.time"}
    others |= {f"tokens[{i}].columns[{j}]" for i, tokens in enumerate(conf.tokens) for j in range(len(tokens.columns))}
    return [column for column in named_columns(conf) if column.key not in others]
