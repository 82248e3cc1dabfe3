"""Reads the files of a source one after the other, as one table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.source import json_lines, plain_lines
from pipeline.records.source.batch import Batch
from pipeline.records.source.delimited import DelimitedFile
from pipeline.records.source.nested import flat
from pipeline.records.source.object_stores import on_this_machine
from pipeline.records.source.paths import ending, format_of, resolved
from pipeline.records.source.streams import TextFile
from pipeline.records.source.tables import LakeTable, ParquetFile
from pipeline.records.source.urls import WEB, fetched
from pipeline.secrets import masked


class Readable(Protocol):
    """What can be read batch by batch: all files of a source, a sample, or the answer to a query."""

    schema: pl.Schema
    """The columns, before the first batch."""
    found: dict[str, str]
    """What was found out about the source and is worth telling people, such as its separator."""
    checksums: dict[str, str]
    """The checksum of each file, complete after the last batch."""

    def batches(self) -> Iterator[Batch]:
        """All rows, in the order of the source."""


_TABLES = ("parquet", "delta", "iceberg")


class Files:
    """The files of a source, as one table."""

    def __init__(
        self,
        source: Source,
        conf_folder: Path,
        needed: Sequence[str],
        downloads: Path,
        paths: Sequence[str] | None = None,
    ) -> None:
        """Look at the first file.

        Args:
            source: names the files.
            conf_folder: folder of the conf file, where relative paths start.
            needed: the columns that will be used.
            downloads: folder in which fetched files stay.
            paths: those of its files that are read, as `resolved` gives them; None: all.

        Raises:
            PipelineError: a file is missing, empty, damaged, or of no known format.
        """
        self._source, self._needed, self._downloads = source, needed, downloads
        self._paths = resolved(source, conf_folder) if paths is None else paths
        self.where: pl.Expr | None = None
        """What holds for the rows of tables that are read; rows of text files are read all. None: all are read."""
        self.checksums: dict[str, str] = {}
        self.found: dict[str, str] = {}
        self._format = format_of(source, self._paths[0])
        if self._format == "ndjson":
            self._of_json = json_lines.schema_of([self._text_file(path) for path in self._paths])
            self.schema = flat(pl.DataFrame(schema=self._of_json)).schema
        elif self._format in _TABLES:
            self.schema = self._table(self._paths[0]).schema
        elif self._format == "lines":
            self.schema = plain_lines.SCHEMA
        else:
            first = self._delimited(self._paths[0])
            self.schema = _of_texts(first)
            self.found["separator"] = repr(first.separator)

    def batches(self) -> Iterator[Batch]:
        """All rows, file by file.

        Raises:
            PipelineError: a file is damaged, or its columns are not those of the first.
        """
        for path in self._paths:
            if self._format in _TABLES:
                table = self._table(path)
                self._require_same(path, table.schema)
                yield from (self._in_order(batch) for batch in table.batches())
                self._note(path, table.checksum)
                continue
            if self._format == "csv":
                delimited = self._delimited(path)
                self._require_same(path, _of_texts(delimited))
                file = delimited.file
                yield from (self._in_order(batch) for batch in delimited.batches())
            else:
                file = self._text_file(path)
                if self._format == "ndjson":
                    found = json_lines.batches(file, self._of_json)
                    yield from (batch._replace(frame=flat(batch.frame)) for batch in found)
                else:
                    yield from plain_lines.batches(file)
            self._note(path, file.checksum)

    def _note(self, path: str, checksum: str) -> None:
        """Keep the checksum of a file that was read to its end."""
        expected = self._source.sha256
        if expected is not None and checksum != expected:
            raise PipelineError(
                f"{path}: has the SHA-256 {checksum}, and `source.sha256` says {expected}. Is it another version?"
            )
        self.checksums[masked(path)] = checksum if " " in checksum else checksum[:16]

    def _table(self, path: str) -> ParquetFile | LakeTable:
        if self._format == "parquet":
            local = str(fetched(path, self._downloads)) if path.startswith(WEB) else path
            return ParquetFile(local, masked(path), self.where)
        return LakeTable(path, masked(path), self._format, self.where)

    def _text_file(self, path: str) -> TextFile:
        source = self._source
        local = on_this_machine(path, self._downloads)
        return TextFile(local, masked(path), source.encoding, source.member, source.max_gigabytes * 1e9)

    def _delimited(self, path: str) -> DelimitedFile:
        source = self._source
        separator = source.separator or ("\t" if ending(path) in (".tsv", ".tab") else None)
        return DelimitedFile(self._text_file(path), separator, source.quote, source.columns, self._needed)

    def _in_order(self, batch: Batch) -> Batch:
        """The batch with the columns in the first file's order."""
        names = self.schema.names()
        return batch if batch.frame.columns == names else batch._replace(frame=batch.frame.select(names))

    def _require_same(self, path: str, schema: pl.Schema) -> None:
        first = self._paths[0]
        for one, other, here, there in ((first, path, self.schema, schema), (path, first, schema, self.schema)):
            for column, dtype in here.items():
                if column not in there:
                    raise PipelineError(
                        f"{other}: lacks the column {column!r}, which {one} has. Name files of one kind."
                    )
                if there[column] != dtype:
                    raise PipelineError(
                        f"{other}: the column {column!r} holds {there[column]}, but {dtype} in {one}. Name files of "
                        "one kind."
                    )


def _of_texts(file: DelimitedFile) -> pl.Schema:
    return pl.Schema(dict.fromkeys(file.columns, pl.String()))
