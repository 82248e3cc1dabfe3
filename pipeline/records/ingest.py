"""Reads the source of a dataset, into Parquet files of the records that can be used; every other row is counted."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pyarrow as pa

from pipeline.config.dataset import Dataset
from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.out_of_core.side_by_side import side_by_side
from pipeline.records.cleaning.cleaner import Cleaner
from pipeline.records.cleaning.counts import Counts
from pipeline.records.cleaning.quarantine import Quarantine, Reasons
from pipeline.records.columns import needed_columns
from pipeline.records.record_files import file_of, write
from pipeline.records.records import ABOUT, Records
from pipeline.records.source.databases import Query
from pipeline.records.source.files import Files, Readable
from pipeline.records.source.given import Given, paths_given
from pipeline.records.source.paths import name
from pipeline.records.source.samples import Sample
from pipeline.records.source.tables import BYTES, ROWS
from pipeline.records.values.numbers import Decimal
from pipeline.records.values.writing import Writing


def ingest(
    conf: Dataset,
    conf_folder: Path,
    folder: Path,
    downloads: Path | None = None,
    given: Any = None,
    may_lack: bool = False,
) -> Records:
    """Read the source of a dataset, and write the records that can be used into a folder.

    The source is read once. Only where later rows show that numbers or dates are written otherwise than the first rows
    do, it is read once more.

    Args:
        conf: the dataset.
        conf_folder: folder of the conf file, where relative paths start.
        folder: created here, for the records and nothing else.
        downloads: where files that are fetched stay. Default: `downloads` beside the folder.
        given: the value of the asset that the source names, if it names one.
        may_lack: whether a column that conf renames may be missing, as long as nothing is read from it.

    Raises:
        PipelineError: the source cannot be read, lacks a column, has no record, or more records than conf allows
            cannot be used.
    """

    def read(expected: Writing | None) -> tuple[Writing, Writing]:
        fetched = downloads or folder.with_name("downloads")
        opened = source_of(conf.source, conf_folder, fetched, needed_columns(conf), given)
        folder.mkdir(parents=True)
        return _read(conf, opened, folder, expected, may_lack)

    try:
        used, found = read(None)
        if used != found:
            shutil.rmtree(folder)
            read(found)
        return Records(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def source_of(source: Source, conf_folder: Path, downloads: Path, needed: Sequence[str], given: Any = None) -> Readable:
    """What reads a source: files, a sample, the answer to a query, or a table that is given.

    Args:
        source: the section of a conf file.
        conf_folder: folder of the conf file, where relative paths start.
        downloads: where files that are fetched stay.
        needed: the columns that will be used.
        given: the value of the asset that the source names, if it names one.

    Raises:
        PipelineError: the source cannot be opened.
    """
    if source.asset:
        paths = paths_given(given)
        if not paths:
            return Given(given, source.asset)
        source = source.model_copy(update={"asset": None, "path": paths})
    if source.sample:
        return Sample(source.sample)
    if source.database:
        return Query(source, conf_folder)
    return Files(source, conf_folder, needed, downloads)


def _read(
    conf: Dataset, source: Readable, folder: Path, expected: Writing | None, may_lack: bool
) -> tuple[Writing, Writing]:
    """Read a source to its end, and return how numbers and dates were read, and how all its rows tell to read them.

    Args:
        conf: the dataset.
        source: is read.
        folder: the records are written into it.
        expected: how numbers and dates are read; None: the first rows tell it.
        may_lack: as in `ingest`.
    """
    with Quarantine(folder) as quarantine:
        batches = source.batches()
        first = next(batches, None)
        usual = usual_decimal(source)
        cleaner = Cleaner(conf, source.schema, quarantine, expected or Writing({}), may_lack)
        if first is not None and expected is None:
            cleaner.writing = cleaner.signs_of(first).writing(usual)
        cleaned = (cleaner.clean(batch) for batch in chain([first] if first is not None else [], batches))
        paths = (file_of(folder, number) for number in count())
        for _ in side_by_side(write, zip(paths, _of_file_size(cleaned), strict=False)):
            pass
    pa.default_memory_pool().release_unused()  # what the writers have held, the next step can use
    cleaner.signs.require_told()
    found, used = cleaner.signs.writing(usual), cleaner.writing
    if expected is not None or found == used:  # otherwise something was read wrongly, and is read again
        require_records(conf, cleaner.counts, lambda: quarantine)
    about = {
        "version": uuid4().hex,
        "counts": asdict(cleaner.counts),
        "checksums": source.checksums,
        "found": source.found | used.told,
        "written": cleaner.signs.facts(used),
    }
    (folder / ABOUT).write_text(json.dumps(about))
    return used, found


def usual_decimal(source: Readable) -> Decimal:
    """The mark before decimals where texts do not tell: a comma where semicolons stand between values, else a point."""
    return "," if source.found.get("separator") == repr(";") else "."


_BAD = "Correct them, leave them out with `source.where`, or allow more."
"""What to do about records that cannot be used."""


def require_records(conf: Dataset, counts: Counts, reasons: Callable[[], Reasons]) -> None:
    """Refuse a source without a record that can be used, or with more that cannot be used than conf allows.

    Args:
        conf: the dataset.
        counts: what became of the rows of its source.
        reasons: gives the reasons for which records cannot be used, if they have to be told.

    Raises:
        PipelineError: says what is wrong, and what to do.
    """
    where, most = name(conf.source), conf.source.max_bad_share
    if not counts.read:
        raise PipelineError(f"{where}: has columns, but not a single record. Bring a file with rows.")
    if counts.quarantined > most * counts.read:
        why_not = reasons()
        raise PipelineError(
            f"{where}: {counts.quarantined:,} of {counts.read:,} records cannot be used, more than the {most:.1%} that "
            f"`source.max_bad_share` allows: {why_not.sentence()}. {why_not.cure(conf.task.answer) or _BAD}"
        )
    if not counts.used:
        why = f" ({reasons().sentence()})" if counts.quarantined else ""
        raise PipelineError(
            f"{where}: none of its {counts.read:,} records is left: {counts.quarantined:,} cannot be used{why}, "
            f"{counts.filtered:,} do not meet `source.where`, {counts.unanswered:,} have no value to predict."
        )


def _of_file_size(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows of all frames in as few frames as fit the size of a file."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        together = [*waiting, frame]
        fits = sum(one.height for one in together) <= ROWS and sum(one.estimated_size() for one in together) <= BYTES
        if fits or not waiting:
            waiting = together
        else:
            yield pl.concat(waiting)
            waiting = [frame]
    if waiting:
        yield pl.concat(waiting)
