"""Reads the rows of some periods of a source, into a folder of records for each, beside those of the other periods."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError, nearest
from pipeline.out_of_core.side_by_side import side_by_side
from pipeline.records.cleaning.quarantine import Quarantine, Reasons
from pipeline.records.columns import needed_columns
from pipeline.records.ingest import require_records, usual_decimal
from pipeline.records.periods.folders import facts_of_periods, link, period_folder, write_about
from pipeline.records.periods.keys import condition, require_dates, source_column
from pipeline.records.periods.one_period import PeriodRecords, by_period
from pipeline.records.periods.survey import Survey, narrowed
from pipeline.records.record_files import write
from pipeline.records.records import Records
from pipeline.records.source.databases import Query
from pipeline.records.source.files import Files, Readable
from pipeline.records.source.paths import name, resolved
from pipeline.records.source.tables import BYTES, ROWS
from pipeline.records.values.units import same
from pipeline.records.values.writing import Writing
from pipeline.secrets import masked

_WAITING = 4 * BYTES
"""Bytes of records that wait in memory, of all periods together, until they are written."""


class _DiffersError(PipelineError):
    """A column of a period holds something else than in the other periods."""


class Read(NamedTuple):
    """The records of all periods, and which of these were read."""

    records: Records
    keys: list[str]


def read_periods(
    conf: Dataset,
    conf_folder: Path,
    folder: Path,
    found: Survey,
    made_by: str,
    before: Records | None = None,
    asked: Sequence[str] | None = None,
    downloads: Path | None = None,
) -> Read:
    """Read the periods that are new or have changed, and take the others from the records before.

    Args:
        conf: the dataset, whose source has `period`.
        conf_folder: folder of the conf file, where relative paths start.
        folder: created here, for the records and nothing else.
        found: the periods of the source.
        made_by: identifies the code and the settings that decide the records; those of others are not taken.
        before: the records as they were made last; their files are in both then.
        asked: the periods to read, whether they have changed or not; None: those that are new or have changed.
        downloads: where files that are fetched stay. Default: `downloads` beside the folder.

    Raises:
        PipelineError: the source has no such period, cannot be read, lacks a column, or more records than conf allows
            cannot be used.
    """
    for one in asked or ():
        if one not in found.rows:
            raise PipelineError(
                f"{name(conf.source)}: has no rows of the period {one!r}. Materialise {conf.name}/periods, which looks "
                f"for new ones; {nearest(one, found.rows)}"
            )
    old = {} if before is None else facts_of_periods(before)
    own = {one: facts for one, facts in old.items() if facts["made_by"] == made_by and one in found.rows}
    stale = [one for one in found.rows if _has_changed(one, own, found)] if asked is None else sorted(asked)
    try:
        folder.mkdir(parents=True)
        kept = {one: facts for one, facts in own.items() if one not in stale}
        for one in kept:
            assert before is not None
            link(period_folder(before.folder, one), period_folder(folder, one))
        said = {} if before is None else dict(before.found)
        if stale or not found.rows:
            made, said = _read(conf, conf_folder, folder, found, stale, downloads or folder.with_name("downloads"))
            kept |= {one: facts | {"made_by": made_by} for one, facts in made.items()}
            _require_one_unit(conf, kept)
        gone = [one for one in old if one not in found.rows]
        write_about(folder, {"periods": kept, "found": said, "read": stale, "gone": gone})
        records = Records(folder)
        require_records(conf, records.counts, lambda: Reasons.of(records.quarantine))
        return Read(records, stale)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, _DiffersError) and asked is None and own:  # read together, all periods have one dtype
            return read_periods(conf, conf_folder, folder, found, made_by, downloads=downloads)
        raise


def _has_changed(one: str, own: Mapping[str, Any], found: Survey) -> bool:
    return one not in own or own[one]["content"] != found.content(one) or one in found.latest


def _read(
    conf: Dataset, conf_folder: Path, folder: Path, found: Survey, stale: Sequence[str], downloads: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read periods, and return what is known of each and what was found out about the source."""
    source = _opened(conf, conf_folder, found, stale, downloads)
    decimals = dict.fromkeys((number.column for number in conf.numbers()), conf.source.decimal or usual_decimal(source))
    writing = Writing(decimals, conf.source.day_first, conf.source.units)
    like = next((pl.read_parquet_schema(path) for path in Records(folder).files), None)
    periods: dict[str, PeriodRecords] = {}
    with ExitStack() as stack:
        for one in stale:
            own = period_folder(folder, one)
            own.mkdir()
            quarantine = stack.enter_context(Quarantine(own))
            periods[one] = PeriodRecords(one, own, conf, source.schema, quarantine, writing)
        for _ in side_by_side(write, _files(source, conf, periods, like)):
            pass
    for each in periods.values():
        each.require_writing()
    _require_alike(conf, folder)
    about = {one: _facts(each, found.content(one), source.checksums) for one, each in periods.items()}
    of_texts = {column: mark for column, mark in decimals.items() if source.schema.get(column) == pl.String}
    return about, source.found | writing._replace(decimals=of_texts).told


def _files(
    source: Readable, conf: Dataset, periods: Mapping[str, PeriodRecords], like: Mapping[str, pl.DataType] | None
) -> Iterator[tuple[Path, pl.DataFrame]]:
    """The files of all periods with their records; a period's next one comes once enough of its records wait."""
    for batch in source.batches():
        for one, some in by_period(batch, conf, periods):
            periods[one].add(some)
        is_much = sum(each.size for each in periods.values()) > _WAITING
        full = [each for each in periods.values() if is_much or each.size > BYTES or each.height > ROWS]
        yield from (each.next_file(like) for each in full if each.height)
    yield from (each.next_file(like) for each in periods.values() if each.height)


def _opened(conf: Dataset, conf_folder: Path, found: Survey, stale: Sequence[str], downloads: Path) -> Files | Query:
    """The source, narrowed to the files that have rows of the stale periods, and in tables to those rows."""
    if conf.source.database:
        return Query(narrowed(conf, found, stale), conf_folder)
    files = {file for file, about in found.files.items() if not {*stale}.isdisjoint(about.rows)}
    paths = [path for path in resolved(conf.source, conf_folder) if masked(path) in files or not files]
    source = Files(conf.source, conf_folder, [*needed_columns(conf), source_column(conf)], downloads, paths)
    dtype = require_dates(conf, source.schema, name(conf.source))
    source.where = condition(stale, source_column(conf), dtype) if stale else None
    return source


def _facts(made: PeriodRecords, content: list[list[str]], checksums: Mapping[str, str]) -> dict[str, Any]:
    return {
        "version": uuid4().hex,
        "counts": asdict(made.counts),
        "written": made.written,
        "content": content,
        "checksums": {file: checksums[file] for file, _ in content if file in checksums},
    }


def _require_one_unit(conf: Dataset, periods: Mapping[str, Any]) -> None:
    """Refuse a column with another currency in one period than in another; of other units each period tells alone."""
    first: dict[str, tuple[str, str]] = {}
    for one, facts in sorted(periods.items()):
        for column, unit in facts["written"]["units"].items():
            usual, there = first.setdefault(column, (unit, one))
            if not same(unit, usual):
                raise PipelineError(
                    f"{conf.file}, source.units: the numbers of {column!r} have the unit {unit} in {one}, and {usual} "
                    f"in {there}. Say `units: {{{column!r}: {usual!r}}}` below `source`, so that all periods are read "
                    "alike."
                )


def _require_alike(conf: Dataset, folder: Path) -> None:
    """Refuse periods with columns of other dtypes than the other periods have."""
    first: tuple[Path, pl.Schema] | None = None
    for path in Records(folder).files:
        schema = pl.Schema(pl.read_parquet_schema(path))
        first = first or (path, schema)
        for column, dtype in schema.items():
            if first[1].get(column) != dtype:
                here, there = (one.parent.name.removeprefix("period=") for one in (path, first[0]))
                cure = "Let the query cast it" if conf.source.database else "Correct the files"
                raise _DiffersError(
                    f"{name(conf.source)}: the column {column!r} holds {dtype} in the period {here}, and "
                    f"{first[1].get(column, 'is not there')} in {there}. {cure}, so that it is the same in all."
                )
