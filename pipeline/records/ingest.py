"""Reads source files or a sample once, into one Parquet file of records, with count, schema and checksums."""

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
"""Rows per row group, for rows without long texts: fewer dictionaries make the file smaller and faster."""


@dataclass(frozen=True)
class Records:
    """The raw records as they come, in a Parquet file with one row per record."""

    path: Path
    checksums: Mapping[str, str] = field(default_factory=dict)
    """The checksum of each source file, or the version of the sample; known only right after reading."""

    @property
    def frame(self) -> pl.LazyFrame:
        """The records, as a lazy frame."""
        return pl.scan_parquet(self.path)

    def __len__(self) -> int:
        return int(self.frame.select(pl.len()).collect().item())  # read from the file's metadata

    @cached_property
    def version(self) -> str:
        """Identifies these records; whatever is made from them keeps it."""
        return str(pl.read_parquet_metadata(self.path)[_VERSION])

    def save(self, folder: Path) -> None:
        """Move the file into a folder, and remove the folder that it was written into."""
        shutil.move(self.path, folder / FILE)
        self.path.parent.rmdir()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The records that `save` moved into a folder."""
        return cls(folder / FILE)


def ingest(conf: Dataset, conf_folder: Path, folder: Path) -> Records:
    """Read the source of a dataset once, and write its records into a folder.

    The checksums are computed at the same time, so that the files are read from the disk once for both.

    Args:
        conf: the dataset.
        conf_folder: folder of the conf file, where relative paths start.
        folder: created here, for the Parquet file and nothing else.

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
                statistics=False,
                row_group_size=_SHORT_ROWS if is_short else None,
                metadata={_VERSION: uuid4().hex},
            )
        return Records(folder / FILE, checksums.result())
    except BaseException:
        shutil.rmtree(folder)
        raise
