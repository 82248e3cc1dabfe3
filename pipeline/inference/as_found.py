"""How files to be answered are written, where that differs from the files that were learned from.

People export the next file with another program, or without the title above it. What its columns mean is in conf.
"""

import codecs
import logging
from collections.abc import Set
from contextlib import closing
from itertools import product
from pathlib import Path

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.columns import needed_columns, renamed
from pipeline.records.source import paths
from pipeline.records.source.files import Files
from pipeline.records.source.object_stores import on_this_machine
from pipeline.records.source.streams import TextFile

MOST_ABOVE_NAMES = 20
"""The names of columns are looked for below so many lines at most, if they are not where they were."""
_START = 2**22
"""Bytes of a file that tell its encoding."""


def as_found(conf: Dataset, needed: Set[str], downloads: Path, log: logging.Logger) -> Source:
    """What reads the files of a dataset's source, though they may be in UTF-8, with other separators, or other titles.

    Args:
        conf: the dataset, whose source names the files.
        needed: columns without which nothing can be answered.
        downloads: folder in which fetched files stay.
        log: gets a line about each difference.
    """
    source, where = conf.source, paths.name(conf.source)
    if source.encoding is not None and _are_in_utf8(source, downloads):
        log.info(f"{where}: is in UTF-8, and not in {source.encoding} as what was learned from")
        source = source.model_copy(update={"encoding": None})
    if source.columns is not None:
        n_above = _above_records(conf.model_copy(update={"source": source}), downloads)
        if n_above is not None and n_above < source.skip:
            log.info(f"{where}: a record stands in line {n_above + 1}, which is above those that were learned from")
            return source.model_copy(update={"skip": n_above})
        return source
    skips = dict.fromkeys((source.skip, *range(MOST_ABOVE_NAMES + 1)))
    for separator, skip in product(dict.fromkeys((source.separator, None)), skips):
        tried = source.model_copy(update={"skip": skip, "separator": separator})
        try:
            columns = columns_of(conf.model_copy(update={"source": tried}), downloads)
        except PipelineError:  # nothing stands below so many lines
            continue
        if not needed <= {*columns}:
            continue
        if separator != source.separator:
            log.info(f"{where}: the values are not separated by {source.separator!r} as in what was learned from")
        if skip != source.skip:
            stand = f"stand in line {skip + 1}, and not in line {source.skip + 1} as in what was learned from"
            log.info(f"{where}: the names of the columns {stand}")
        return tried
    return source


def columns_of(conf: Dataset, downloads: Path) -> list[str]:
    """The columns of the files, by the names that conf gives them."""
    with closing(Files(conf.source, Path.cwd(), needed_columns(conf), downloads)) as opened:
        return renamed(conf, opened.schema, may_lack=True).names()


def _above_records(conf: Dataset, downloads: Path) -> int | None:
    """How many lines stand above the first record in which no value is missing, where no line has names."""
    source = conf.source.model_copy(update={"skip": 0})
    batch = next(Files(source, Path.cwd(), needed_columns(conf), downloads).batches(), None)
    if batch is None:
        return None
    frame = batch.frame.with_columns(pl.col(pl.String).replace(dict.fromkeys(source.missing)))
    whole = frame.select(pl.all_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return int(batch.lines[whole[0]]) - 1 if len(whole) else None


def _are_in_utf8(source: Source, downloads: Path) -> bool:
    """Whether all files hold letters in UTF-8, which hardly any text in another encoding seems to do by chance."""
    for path in paths.resolved(source, Path.cwd()):
        try:
            file = TextFile(on_this_machine(path, downloads), path, None, source.member, source.max_gigabytes * 1e9)
            start = file.start(_START)
            codecs.getincrementaldecoder("utf-8")().decode(start)  # the last letter may be cut in two
        except (PipelineError, UnicodeDecodeError):
            return False
        if start.isascii():  # as in most encodings
            return False
    return True
