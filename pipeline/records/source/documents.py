"""Reads texts that are a file each, as corpora are: each file is a record."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from pipeline.records.source.batch import Batch, Unreadable, of_table
from pipeline.records.source.streams import TextFile

SCHEMA = pl.Schema({"file": pl.String, "folder": pl.String, "text": pl.String})
BYTES = 2**25
"""Bytes of the texts of a batch, about."""


class Documents:
    """Texts that are a file each: `file`, its path within the folder of all; `folder`, in which it is; and `text`."""

    schema = SCHEMA
    found: Mapping[str, str] = {}

    def __init__(self, files: Sequence[TextFile]) -> None:
        """Prepare to read the files; at least one."""
        self._files, self._sha256 = files, hashlib.sha256()
        self._folder = Path(os.path.commonpath([str(file.path.parent) for file in files]))
        self.name = str(self._folder)

    @property
    def checksum(self) -> str:
        """The SHA-256 of the names and contents of all files; after the last batch."""
        return self._sha256.hexdigest()

    def batches(self) -> Iterator[Batch]:
        """All texts, in the order of the files; the number of a file stands for its line."""
        rows: list[tuple[str, str, str]] = []
        unreadable: list[Unreadable] = []
        size, first = 0, 1
        for number, file in enumerate(self._files, start=1):
            content = b"".join(block.text for block in file.blocks())
            path = file.path.relative_to(self._folder)
            self._sha256.update(f"{path} {file.checksum}\n".encode())
            size += len(content)
            try:
                rows.append((str(path), str(path.parent), content.decode().strip()))
            except UnicodeDecodeError:
                unreadable.append(
                    Unreadable(number, "is not UTF-8", f"{path}: {content[:200].decode('utf-8', 'replace')}")
                )
            if size > BYTES or number == len(self._files):
                told = {one.line for one in unreadable}
                lines = pl.Series([line for line in range(first, number + 1) if line not in told], dtype=pl.Int64)
                batch = of_table(pl.DataFrame(rows, SCHEMA, orient="row"), self.name, first)
                yield batch._replace(lines=lines.to_numpy(), unreadable=tuple(unreadable))
                rows, unreadable, size, first = [], [], 0, number + 1
