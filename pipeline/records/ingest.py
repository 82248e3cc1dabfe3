"""Source files or a sample -> one Parquet file of records, with count, schema and checksums: they are read once."""

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self
from uuid import uuid4

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.records import sources

FILE = "records.parquet"
_VERSION = "version"
_SHORT_ROWS = 500_000
"""Rows without long texts are written so many at a time: fewer dictionaries make the file smaller, and faster."""


@dataclass(frozen=True)
class Records:
    """The raw records as they come, one row each, as Parquet."""

    path: Path
    checksums: Mapping[str, str] = field(default_factory=dict)
    """What they were read from, right after they were."""

    @property
    def frame(self) -> pl.LazyFrame:
        """The records."""
        return pl.scan_parquet(self.path)

    def __len__(self) -> int:
        return int(self.frame.select(pl.len()).collect().item())  # stands in the file's metadata

    @cached_property
    def version(self) -> str:
        """Tells these records from others: what is made of them keeps it."""
        return str(pl.read_parquet_metadata(self.path)[_VERSION])

    def save(self, folder: Path) -> None:
        """Move the file there; the folder in which it was read goes."""
        shutil.move(self.path, folder / FILE)
        self.path.parent.rmdir()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` moved there."""
        return cls(folder / FILE)


def ingest(conf: Dataset, conf_folder: Path, folder: Path) -> Records:
    """Read the source of a dataset once, and write its records into a folder.

    The checksums are computed beside it: the files' bytes are read from the disk once for both.

    Args:
        conf: the dataset.
        conf_folder: where the conf file is, the start of relative paths.
        folder: for the Parquet file, and nothing else; it is made.

    Raises:
        PipelineError: a file is missing, empty, unreadable or lacks a column.
    """
    records = sources.scan(conf, conf_folder)
    is_short = not any(tokens.gives_lists for tokens in conf.tokens)
    folder.mkdir(parents=True)
    try:
        with ThreadPoolExecutor(1) as beside:
            checksums = beside.submit(sources.checksums, conf.source, conf_folder)
            records.sink_parquet(
                folder / FILE,
                compression="lz4",
                row_group_size=_SHORT_ROWS if is_short else None,
                metadata={_VERSION: uuid4().hex},
            )
        return Records(folder / FILE, checksums.result())
    except BaseException:
        shutil.rmtree(folder)
        raise
