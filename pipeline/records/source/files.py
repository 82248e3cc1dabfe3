"""Reads the files of a source one after the other, as one table."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

import polars as pl

from pipeline.config.records import Source
from pipeline.errors import PipelineError
from pipeline.records.source import json_lines, matrices, plain_lines, tables
from pipeline.records.source.batch import Batch, EmptyFileError
from pipeline.records.source.delimited import DelimitedFile
from pipeline.records.source.documents import Documents
from pipeline.records.source.json_documents import JsonFile
from pipeline.records.source.locations import Location, locations
from pipeline.records.source.matrices import SparseMatrix
from pipeline.records.source.object_stores import on_this_machine
from pipeline.records.source.partitions import partitions
from pipeline.records.source.paths import ending, format_of, resolved, without_way_back
from pipeline.records.source.streams import TextFile
from pipeline.records.source.urls import WEB
from pipeline.secrets import masked

LOG = logging.getLogger(__name__)
_TOLD = 5
"""Files without a record that a line names."""


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


class _File(Protocol):
    """One file of a source."""

    @property
    def schema(self) -> pl.Schema: ...

    @property
    def checksum(self) -> str: ...

    @property
    def found(self) -> Mapping[str, str]: ...

    def batches(self) -> Iterator[Batch]: ...


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
        """Look at the first file that is not empty.

        Args:
            source: names the files.
            conf_folder: folder of the conf file, where relative paths start.
            needed: the columns that will be used.
            downloads: folder in which fetched files stay.
            paths: those of its files that are read, as `resolved` gives them; None: all.

        Raises:
            EmptyFileError: all files are empty.
            PipelineError: a file is missing, damaged, or of no known format.
        """
        self._source, self._needed, self._downloads = source, needed, downloads
        self._paths = resolved(source, conf_folder) if paths is None else paths
        self.where: pl.Expr | None = None
        """What holds for the rows of tables that are read; rows of text files are read all. None: all are read."""
        self.checksums: dict[str, str] = {}
        self._before = {path: _state(path) for path in self._paths}
        self._rows_before = 0
        self._format = format_of(source, self._paths[0])
        is_one_table = self._format in (*tables.LAKES, "documents")
        self._beside = {} if is_one_table else partitions(self._paths, conf_folder)
        """The columns that folders say beside those of the files, and each file's values."""
        self._locations = partial(locations, source, self._format, self._paths, downloads)
        is_json = self._format in ("json", "ndjson")
        self._of_lines = json_lines.schema_of([*map(self._text_file, self._locations())]) if is_json else None
        self._without_record: list[str] = []
        self._unread: Iterator[tuple[Location, _File]] | None = self._files()
        first = next(self._unread, None)
        if first is None:
            raise EmptyFileError(without_way_back(masked(self._paths[0])))
        self._unread = chain([first], self._unread)
        location, file = first
        self._first_name = location.name
        self.schema = self._with_types(self._with_folders(location.path, file.schema))
        self.found = dict(file.found)

    def batches(self) -> Iterator[Batch]:
        """All rows, file by file.

        Raises:
            PipelineError: a file is damaged, lacks a column of the first, or was changed meanwhile.
        """
        files = self._unread if self._unread is not None and self.where is None else self._files()
        self._unread, has_records = None, False
        for location, file in files:
            self._require_same(location.name, self._with_folders(location.path, file.schema))
            n_read = 0
            for batch in file.batches():
                n_read += batch.n_read
                yield self._in_order(location.path, batch)
            has_records |= n_read > 0
            if not n_read:
                self._without_record.append(location.name)
            self._note(file.name if isinstance(file, Documents) else location.path, file)
            self.found = {**file.found, **self.found}
            if isinstance(file, SparseMatrix):
                self._rows_before += file.n_rows
        changed = next((path for path, state in self._before.items() if _state(path) != state), None)
        if changed is not None:
            raise PipelineError(
                f"{changed}: the file was changed while the source was read. Run again once it is complete."
            )
        if self._without_record and has_records and self.where is None:
            self.found["passed over, without a record"] = told_as_passed_over(self._without_record)

    def close(self) -> None:
        """Let go of the file that was looked at, if none is to be read."""
        self._unread = None

    def _files(self) -> Iterator[tuple[Location, _File]]:
        """Each file of the source, but for those that are empty."""
        self._rows_before, self._without_record = 0, []
        for location in self._locations():
            try:
                yield location, self._opened(location)
            except EmptyFileError:
                self._without_record.append(location.name)

    def _note(self, path: str, file: _File) -> None:
        """Keep the checksum of a file that was read to its end; all files of an archive have the same."""
        if masked(path) in self.checksums:
            return
        checksum, expected = file.checksum, self._source.sha256
        if expected is not None and checksum != expected:
            raise PipelineError(
                f"{path}: has the SHA-256 {checksum}, and `source.sha256` says {expected}. Is it another version?"
            )
        self.checksums[masked(path)] = checksum if " " in checksum else checksum[:16]

    def _opened(self, location: Location) -> _File:
        """A file, in the format of the source."""
        path = location.path
        state = self._before[path]
        if state is not None and not state[0] and self._format != "documents":
            raise EmptyFileError(location.name)
        if self._format in tables.FILES:
            is_fetched = path.startswith(WEB) or self._format != "parquet"
            local = str(on_this_machine(path, self._downloads)) if is_fetched else path
            of_file = self.where is None or {*self._beside[path]}.isdisjoint(self.where.meta.root_names())
            where = self.where if of_file else None
            return tables.TableFile(local, location.name, self._format, where, self._source.member, self._source.skip)
        if self._format in tables.LAKES:
            return tables.LakeTable(path, location.name, self._format, self.where)
        if self._format == "documents":
            return Documents([self._text_file(Location(path, None, masked(path))) for path in self._paths])
        file = self._text_file(location)
        if self._format in matrices.FORMATS:
            return SparseMatrix(file, self._format, self._rows_before)
        if self._of_lines is not None:
            return json_lines.JsonLines(file, self._of_lines)
        if self._format == "lines":
            return plain_lines.Lines(file)
        source = self._source
        separator = source.separator or ("\t" if ending(path) in (".tsv", ".tab") else None)
        return DelimitedFile(file, separator, source.quote, source.columns, self._needed)

    def _text_file(self, location: Location) -> TextFile:
        source = self._source
        kind = JsonFile if self._format == "json" else TextFile
        local = on_this_machine(location.path, self._downloads)
        head = (source.comment, source.skip if self._format in ("csv", "lines") else 0)
        return kind(local, location.name, source.encoding, location.member, source.max_gigabytes * 1e9, *head)

    def _with_folders(self, path: str, schema: pl.Schema) -> pl.Schema:
        """The columns of a file, and those that only its folders say: texts."""
        return pl.Schema({**schema, **{name: pl.String() for name in self._beside.get(path, {}) if name not in schema}})

    def _with_types(self, schema: pl.Schema) -> pl.Schema:
        """The columns of the first file; one without any value has the type that it has in a later file."""
        bare = [name for name, dtype in schema.items() if dtype == pl.Null]
        if not bare:
            return schema
        self._unread = None
        for _, file in self._files():
            later = {name: file.schema[name] for name in bare if file.schema.get(name, pl.Null) != pl.Null}
            schema, bare = pl.Schema({**schema, **later}), [name for name in bare if name not in later]
            if not bare:
                break
        return schema

    def _in_order(self, path: str, batch: Batch) -> Batch:
        """The batch with what the file's folders say, and the columns in the first file's order."""
        frame = batch.frame
        if frame.schema == self.schema:
            return batch
        said = {name: value for name, value in self._beside.get(path, {}).items() if name not in frame.columns}
        frame = frame.with_columns(pl.lit(value, pl.String).alias(name) for name, value in said.items())
        frame = frame.select(self.schema.names())
        bare = {name: self.schema[name] for name, dtype in frame.schema.items() if dtype == pl.Null}
        return batch._replace(frame=frame.cast(bare))  # type: ignore[arg-type]

    def _require_same(self, name: str, schema: pl.Schema) -> None:
        """Refuse a file that has not the columns of the first; what it has beside them is left out."""
        first = self._first_name
        for column, dtype in self.schema.items():
            if column not in schema:
                raise PipelineError(f"{name}: lacks the column {column!r}, which {first} has. Name files of one kind.")
            if schema[column] not in (dtype, pl.Null):
                differs = f"holds {schema[column]}, but {dtype} in {first}"
                raise PipelineError(f"{name}: the column {column!r} {differs}. Name files of one kind.")


def told_as_passed_over(names: Sequence[str]) -> str:
    """The names of files without a record, such as those of days on which nothing was sold; a line tells them."""
    told = ", ".join(names[:_TOLD]) + ", ..." * (len(names) > _TOLD)
    LOG.warning("passed over, without a record: %s", told)
    return told


def _state(path: str) -> tuple[int, int] | None:
    """Size (bytes) and time of change (ns) of a file of this machine; None for what is none, or is gone."""
    place = Path(path)
    if "://" in path or not place.is_file():
        return None
    found = place.stat()
    return found.st_size, found.st_mtime_ns
