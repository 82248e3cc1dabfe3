"""Reads source files or a sample once, into Parquet files of records, with count, schema and checksums."""

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Self
from uuid import uuid4

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.records import sources
from pipeline.records.side_by_side import side_by_side

_FILES = "records-*.parquet"
_ABOUT = "about.json"
_ROWS, _BYTES = 250_000, 2**26
"""The most records of a file, and the most bytes that they take in memory."""
_SOME = 1_000
"""The first records, which tell how large one is, and whether a column repeats its values."""


@dataclass(frozen=True)
class Records:
    """The raw records as they come, in a folder of Parquet files with one row per record, in the source's order."""

    folder: Path
    checksums: Mapping[str, str] = field(default_factory=dict)
    """The checksum of each source file, or the version of the sample; known only right after reading."""

    @property
    def frame(self) -> pl.LazyFrame:
        """The records, as a lazy frame."""
        return pl.scan_parquet(sorted(self.folder.glob(_FILES)))

    def __len__(self) -> int:
        return int(self.frame.select(pl.len()).collect().item())  # read from the files' metadata

    @cached_property
    def version(self) -> str:
        """Identifies these records; whatever is made from them keeps it."""
        return str(json.loads((self.folder / _ABOUT).read_text())["version"])

    def save(self, folder: Path) -> None:
        """Move the files into a folder, and remove the folder that they were written into."""
        for path in self.folder.iterdir():
            shutil.move(path, folder / path.name)
        self.folder.rmdir()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The records that `save` moved into a folder."""
        return cls(folder)


def ingest(conf: Dataset, conf_folder: Path, folder: Path) -> Records:
    """Read the source of a dataset once, and write its records into a folder.

    The checksums are computed at the same time, so that the files are read from the disk once for both.

    Args:
        conf: the dataset.
        conf_folder: folder of the conf file, where relative paths start.
        folder: created here, for the records and nothing else.

    Raises:
        PipelineError: a file is missing, empty, unreadable or lacks a column.
    """
    records = sources.scan(conf, conf_folder)
    folder.mkdir(parents=True)
    try:
        with ThreadPoolExecutor(1) as beside:
            checksums = beside.submit(sources.checksums, conf.source, conf_folder)
            paths = (folder / _FILES.replace("*", f"{number:05d}") for number in count())
            batches = records.collect_batches(chunk_size=_rows_of_a_file(records), maintain_order=True)
            for _ in side_by_side(_write, zip(paths, batches, strict=False)):
                pass
        (folder / _ABOUT).write_text(json.dumps({"version": uuid4().hex}))
        return Records(folder, checksums.result())
    except BaseException:
        shutil.rmtree(folder)
        raise


def _write(path: Path, batch: pl.DataFrame) -> None:
    """Write a file, with a dictionary for each column that repeats its values: for the others it costs time only."""
    from pyarrow import parquet

    batch = batch.with_columns(pl.col(pl.Int128, pl.UInt128).cast(pl.String))  # Arrow has no such numbers
    some = batch.head(_SOME)
    repeats = [column.name for column in some if not column.dtype.is_nested() and 2 * column.n_unique() < len(some)]
    parquet.write_table(
        batch.to_arrow(compat_level=pl.CompatLevel.oldest()),
        path,
        compression="lz4",
        use_dictionary=repeats,
        write_statistics=False,
    )


def _rows_of_a_file(records: pl.LazyFrame) -> int:
    """How many records fill a file, by the size of the first ones: a few of them are in memory at once."""
    some = records.head(_SOME).collect()
    rows = _BYTES * some.height // max(1, int(some.estimated_size()))
    return min(max(rows, _SOME), _ROWS)
