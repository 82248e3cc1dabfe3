"""The records of a dataset that can be used, and what is known of the source that they were read from."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import polars as pl

from pipeline.records.cleaning.counts import Counts
from pipeline.records.cleaning.quarantine import FILE
from pipeline.records.record_files import FILES

ABOUT = "about.json"
"""The file beside the records that says what is known of their source."""


@dataclass(frozen=True)
class Records:
    """The raw records that can be used, in a folder of Parquet files with one row per record, in the source's order.

    With periods, each has a folder in it.
    """

    folder: Path

    @property
    def frame(self) -> pl.LazyFrame:
        """The records, as a lazy frame. Numbers that were read from texts stand in columns of their own."""
        return pl.scan_parquet(self.files, hive_partitioning=False, glob=False)

    @property
    def files(self) -> list[Path]:
        """The files, in the order of their records."""
        return sorted(self.folder.rglob(FILES))

    @property
    def quarantine(self) -> pl.DataFrame:
        """The records that cannot be used: `file`, `line`, `column`, `reason` and `raw`, the text."""
        return pl.read_parquet(self.folder / FILE, glob=False)

    def __len__(self) -> int:
        return self.counts.used

    @property
    def version(self) -> str:
        """Identifies these records; whatever is made from them keeps it."""
        return str(self._about["version"])

    @property
    def counts(self) -> Counts:
        """What became of the rows of the source."""
        return Counts(**self._about["counts"])

    @property
    def checksums(self) -> Mapping[str, str]:
        """The checksum of each source file: its SHA-256, first 16 hexadecimal digits; or the version of the sample."""
        return dict(self._about["checksums"])

    @property
    def found(self) -> Mapping[str, str]:
        """What was found out about the source, such as its separator."""
        return dict(self._about["found"])

    @property
    def written(self) -> Mapping[str, Mapping[str, str]]:
        """How the source writes numbers, see `Signs.facts`. An earlier version has kept only what it told people."""
        starts = {"decimals": "decimals of ", "units": "unit of "}
        as_told = {
            what: {name.removeprefix(start): how for name, how in self.found.items() if name.startswith(start)}
            for what, start in starts.items()
        }
        return dict(self._about.get("written", as_told))

    @cached_property
    def _about(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / ABOUT).read_text()))

    def save(self, folder: Path) -> None:
        """Move the files into a folder, and remove the folder that they were written into."""
        for path in self.folder.iterdir():
            shutil.move(path, folder / path.name)
        self.folder.rmdir()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The records that `save` moved into a folder."""
        return cls(folder)
