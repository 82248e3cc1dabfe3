"""Finds out which periods a source has, and how many rows each has in each file; a file is read again if it changed.

Nothing is cleaned here, and no row is kept.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Source
from pipeline.records.columns import needed_columns
from pipeline.records.periods.keys import (
    DATE_FIRST,
    UNDATED,
    period_keys,
    period_of,
    ranges,
    require_dates,
    source_column,
)
from pipeline.records.source.batch import Batch, EmptyFileError
from pipeline.records.source.databases import Query, in_brackets, quoted
from pipeline.records.source.files import Files, told_as_passed_over
from pipeline.records.source.object_stores import is_in_store, on_this_machine
from pipeline.records.source.paths import format_of, name, resolved
from pipeline.records.source.tables import LAKES, LakeTable
from pipeline.secrets import masked

_FILE = "survey.json"
_KEY, _ROWS, _HASH = "_key", "_rows", "_hash"


@dataclass(frozen=True)
class FilePeriods:
    """What is known of a file."""

    state: str | None
    """Size and time of change, or the version of a table; None: it cannot be told without reading."""
    checksum: str | None
    """The SHA-256 of a file on this machine."""
    rows: dict[str, int]
    """Rows of each period, by its key."""
    content: dict[str, str]
    """A text for each period, by its key, that changes if the rows of the period change."""


@dataclass(frozen=True)
class Survey:
    """The periods of a source."""

    made_by: str
    """Identifies the code and the settings that decide what is found."""
    files: dict[str, FilePeriods]
    """By the name of the file; a database counts as one."""
    latest: tuple[str, ...] = ()
    """Periods of which nobody knows whether their rows have changed."""
    column: str = field(default="String")
    """What the column of dates holds, for the query to a database: String, Date, Datetime, zoned, or a number."""

    @cached_property
    def rows(self) -> dict[str, int]:
        """Rows of each period, in the order of time."""
        rows: dict[str, int] = {}
        for found in self.files.values():
            for one, n in found.rows.items():
                rows[one] = rows.get(one, 0) + n
        return dict(sorted(rows.items()))

    def content(self, one: str) -> list[list[str]]:
        """The files that hold rows of a period, in the order of the source, each with what identifies these rows."""
        return [[file, found.content[one]] for file, found in self.files.items() if one in found.content]

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        (folder / _FILE).write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        about = json.loads((folder / _FILE).read_text())
        files = {file: FilePeriods(**found) for file, found in about.pop("files").items()}
        return cls(files=files, latest=tuple(about.pop("latest")), **about)


def survey(conf: Dataset, conf_folder: Path, downloads: Path, made_by: str, before: Survey | None = None) -> Survey:
    """Find the periods of the source of a dataset.

    Args:
        conf: the dataset, whose source has `period`.
        conf_folder: folder of the conf file, where relative paths start.
        downloads: where files that are fetched stay.
        made_by: identifies the code and the settings; what others have found is not used.
        before: what was found last; a file that is unchanged since then is not read.

    Raises:
        PipelineError: the source cannot be read, or has no column of dates that conf names.
    """
    if conf.source.database:
        return _of_database(conf, conf_folder, made_by)
    known = before.files if before is not None and before.made_by == made_by else {}
    paths = resolved(conf.source, conf_folder)
    files = {masked(path): _of_file(path, conf, conf_folder, downloads, known.get(masked(path))) for path in paths}
    empty = [file for file, found in files.items() if not found.rows]
    if 0 < len(empty) < len(files):
        told_as_passed_over(empty)
    return Survey(made_by, files)


def _of_file(path: str, conf: Dataset, conf_folder: Path, downloads: Path, known: FilePeriods | None) -> FilePeriods:
    state, local = _state(path, conf.source, downloads)
    if known is not None and state is not None and state == known.state:
        return known
    checksum = None
    if local is not None:
        with local.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    if known is not None and checksum is not None and checksum == known.checksum:
        return FilePeriods(state, checksum, known.rows, known.content)
    needed = [*needed_columns(conf), source_column(conf)]
    try:
        source = Files(conf.source, conf_folder, needed, downloads, [path])
    except EmptyFileError:  # it may be filled yet
        return FilePeriods(state, checksum, {}, {})
    require_dates(conf, source.schema, masked(path))
    rows: dict[str, int] = {}
    content: dict[str, int] = {}
    for one, n, digest in _counted(source, conf):
        rows[one] = rows.get(one, 0) + n
        content[one] = (content.get(one, 0) + digest) % 2**64
    return FilePeriods(
        state, checksum, rows, {one: f"{rows[one]} rows {number:016x}" for one, number in content.items()}
    )


def _state(path: str, source: Source, downloads: Path) -> tuple[str | None, Path | None]:
    """What changes with a file, and where the file is on this machine, if it is there."""
    form = format_of(source, path)
    if form in LAKES:
        return LakeTable(path, masked(path), form).checksum, None
    if form == "parquet" and is_in_store(path):
        return None, None
    local = on_this_machine(path, downloads)
    about = local.stat()
    return f"{about.st_size} bytes {about.st_mtime_ns}", local


def _counted(source: Files, conf: Dataset) -> Iterator[tuple[str, int, int]]:
    """For each batch and each of its periods: the key, the number of rows, and a number that identifies them."""
    column = source_column(conf)
    for batch in source.batches():
        if batch.unreadable:
            yield UNDATED, len(batch.unreadable), _digest(batch)
        counted = (
            pl.DataFrame({_KEY: period_keys(batch.frame[column], conf), _HASH: batch.frame.hash_rows()})
            .group_by(_KEY)
            .agg(pl.len().alias(_ROWS), pl.col(_HASH).sum())
        )
        yield from counted.iter_rows()


def _digest(batch: Batch) -> int:
    """A number from the texts of the lines from which no row can be made."""
    texts = (f"{line.reason} {line.raw}" for line in batch.unreadable)
    return sum(int(hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16], 16) for text in texts)


def _of_database(conf: Dataset, conf_folder: Path, made_by: str) -> Survey:
    """The periods of the answer to a query: the database counts the rows of each date, and gives the counts only."""
    column, period = source_column(conf), period_of(conf)
    nothing = Query(_asking(conf.source, "select * from {} as q where 1 = 0"), conf_folder)
    list(nothing.batches())  # closes the connection
    require_dates(conf, nothing.schema, nothing.name)
    counting = f"select {quoted(column)}, count(*) as {_ROWS} from {{}} as q group by {quoted(column)}"
    counts = Query(_asking(conf.source, counting), conf_folder)
    dtype = require_dates(conf, counts.schema, counts.name)
    rows: dict[str, int] = {}
    are_usual = True
    for batch in counts.batches():
        dates = batch.frame[column]
        are_usual &= dates.dtype != pl.String or bool(dates.str.contains(DATE_FIRST).all())
        keyed = batch.frame.select(period_keys(dates, conf).alias(_KEY), pl.col(_ROWS).cast(pl.Int64))
        for one, n in keyed.group_by(_KEY).agg(pl.col(_ROWS).sum()).iter_rows():
            rows[one] = rows.get(one, 0) + n
    dated = sorted({*rows} - {UNDATED})
    found = FilePeriods(None, None, rows, {one: f"{n} rows" for one, n in rows.items()})
    zoned = isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
    holds = "zoned" if zoned else type(dtype).__name__ if are_usual else "other texts"
    latest = tuple(dated[len(dated) - min(period.latest, len(dated)) :])
    return Survey(made_by, {name(conf.source): found}, latest, holds)


def narrowed(conf: Dataset, found: Survey, keys: Sequence[str]) -> Source:
    """The source of a dataset with a database, with a query for the rows of some periods, and maybe for others.

    Args:
        conf: the dataset.
        found: the periods of its source.
        keys: those to read.
    """
    column, spans = quoted(source_column(conf)), ranges(keys)
    is_date, utc = found.column in ("Date", "Datetime", "zoned"), " 00:00:00+00:00" if found.column == "zoned" else ""
    if (UNDATED in keys and not is_date) or found.column == "other texts":  # what is no usual date can be anything
        return conf.source
    if is_date:
        asked = [f"{column} >= '{first}{utc}' and {column} < '{end}{utc}'" for first, end in spans]
        if UNDATED in keys:
            asked += [f"{column} is null or {column} < '1001-01-01{utc}' or {column} >= '9999-01-01{utc}'"]
    elif found.column == "String":  # a text may name a zone, which moves it by less than a day
        day = timedelta(days=1)
        asked = [f"trim({column}) >= '{first - day}' and trim({column}) < '{end + day}'" for first, end in spans]
    else:
        seconds = [[86_400 * (day - date(1970, 1, 1)).days for day in span] for span in spans]
        asked = [f"{column} >= {unit * i} and {column} < {unit * j}" for i, j in seconds for unit in (1, 1000)]
        # a month such as 202403 may begin before a period that has days of it
        digits = [(int(f"{first:{form}}"), int(f"{end:{form}}")) for first, end in spans for form in ("%Y%m", "%Y%m%d")]
        asked += [f"{column} >= {first} and {column} <= {end}" for first, end in digits]
    return _asking(conf.source, f"select * from {{}} as q where {' or '.join(f'({one})' for one in asked)}")


def _asking(source: Source, query: str) -> Source:
    """The source with a query that reads from the answer to its own one, for which `{}` stands."""
    assert source.query is not None
    return source.model_copy(update={"query": query.replace("{}", in_brackets(source.query))})
