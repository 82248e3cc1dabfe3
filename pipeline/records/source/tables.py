"""Reads files of Parquet, Arrow and Excel, and tables of Delta Lake and Iceberg, batch by batch."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping

import polars as pl
import polars.selectors as cs

from pipeline.errors import PipelineError, first_line
from pipeline.records.source.batch import Batch, of_table
from pipeline.records.source.file_kinds import rather_text
from pipeline.records.source.nested import flat
from pipeline.records.source.workbooks import sheets

ROWS, BYTES = 250_000, 2**26
"""The most rows of a batch, and the most bytes that they take in memory."""
_SOME = 1_000
"""The first rows, which tell how large one is."""
_ROW = "\0row"
"""The column with the number of a row in its table, where only some rows are read."""


def batches_of(rows: pl.LazyFrame, name: str, where: pl.Expr | None = None) -> Iterator[Batch]:
    """The rows of a table, in its order: all, or those that meet a condition, which the scan may use to skip others."""
    first, at_once = 1, _rows_at_once(rows)
    if where is not None:
        rows = rows.with_row_index(_ROW, 1).filter(where)
    for frame in rows.collect_batches(chunk_size=at_once, maintain_order=True):
        if where is None:
            yield of_table(frame, name, first)
        else:
            yield of_table(frame.drop(_ROW), name, 1)._replace(lines=frame[_ROW].to_numpy())
        first += frame.height


def plain(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with a column for each field, and with the texts that categories and bytes stand for."""
    return flat(rows).with_columns(
        (cs.categorical() | cs.enum()).cast(pl.String),
        cs.binary().map_batches(_as_text, return_dtype=pl.String, is_elementwise=True),
    )


def _as_text(values: pl.Series) -> pl.Series:
    """Texts that a program has written as bytes; bytes that are none, such as those of an id, as hexadecimal digits."""
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(values.name, [_decoded(value) for value in values], dtype=pl.String)


def _decoded(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _rows_at_once(rows: pl.LazyFrame) -> int:
    """How many rows make a batch, by the size of the first ones: a few batches are in memory at once."""
    some = rows.head(_SOME).collect()
    fit = BYTES * some.height // max(1, int(some.estimated_size()))
    return min(max(fit, _SOME), ROWS)


class TableFile:
    """A file of Parquet, Arrow or Excel: on this machine, or Parquet in an object store from which Polars reads."""

    def __init__(
        self,
        path: str,
        name: str,
        kind: str,
        where: pl.Expr | None = None,
        sheet: str | None = None,
        skip: int = 0,
    ) -> None:
        """Read the file's schema.

        Args:
            path: of the file, or its address.
            name: the path, for people.
            kind: one of `FILES`.
            where: what holds for the rows to read; None: all are read.
            sheet: the sheets of a workbook to read, as a glob; None: all.
            skip: how many rows stand in each sheet above the names of the columns.

        Raises:
            PipelineError: it is no such file, or cannot be read.
        """
        self.name, self._path, self._kind, self._where = name, path, kind, where
        self.found: dict[str, str] = {}
        try:
            if kind == "excel":
                rows, others = sheets(path, name, sheet, skip)
                self.found = {f"left out of {name}": f"the sheets {', '.join(others)}"} if others else {}
            else:
                rows = _FILES[kind](path)
            self._rows = plain(rows)
            self.schema = self._rows.collect_schema()
        except FileNotFoundError:  # a store has it no more, or never had: files of this machine were looked for
            raise PipelineError(f"{name}: there is no such file. Correct `source.path`.") from None
        except (pl.exceptions.PolarsError, OSError) as error:
            why = ("" if "://" in path else rather_text(path)) or f" ({first_line(error)})"
            raise PipelineError(f"{name}: cannot be read as {kind}{why}.") from error

    def batches(self) -> Iterator[Batch]:
        """The rows of the file, in its order.

        Raises:
            PipelineError: the file is damaged.
        """
        try:
            yield from batches_of(self._rows, self.name, self._where)
            self.checksum = "not known"
            if "://" not in self._path:
                with open(self._path, "rb") as file:
                    self.checksum = hashlib.file_digest(file, "sha256").hexdigest()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise PipelineError(f"{self.name}: cannot be read as {self._kind} ({first_line(error)}).") from error


class LakeTable:
    """A table of Delta Lake or Iceberg, at the version that it has when it is opened; Polars reads it."""

    found: Mapping[str, str] = {}

    def __init__(self, path: str, name: str, kind: str, where: pl.Expr | None = None) -> None:
        """Read the table's schema and version.

        Args:
            path: the folder of a Delta table, or the metadata file of an Iceberg table; it may be in an object store.
            name: the path, for people.
            kind: one of `LAKES`.
            where: what holds for the rows to read; None: all are read.

        Raises:
            PipelineError: it is no such table, it cannot be read, or the reader is not installed.
        """
        self.name, self._kind, self._where = name, kind, where
        try:
            rows, self.checksum = _LAKES[kind](path)
            self._rows = plain(rows)
            self.schema = self._rows.collect_schema()
        except ImportError:
            raise PipelineError(
                f"{name}: tables of {kind} need a reader: pip install 'embedding-pipeline[lakes]'."
            ) from None
        except Exception as error:  # each reader raises its own
            raise PipelineError(f"{name}: cannot be read as a {kind} table ({first_line(error)}).") from error

    def batches(self) -> Iterator[Batch]:
        """The rows of the table.

        Raises:
            PipelineError: a file of it is missing or damaged.
        """
        try:
            yield from batches_of(self._rows, self.name, self._where)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise PipelineError(
                f"{self.name}: cannot be read as a {self._kind} table ({first_line(error)})."
            ) from error


def _parquet(path: str) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False)


def _arrow(path: str) -> pl.LazyFrame:
    """The rows of an Arrow file, or of a stream of Arrow that was written into a file."""
    with open(path, "rb") as file:
        is_stream = file.read(6) != b"ARROW1"
    return pl.read_ipc_stream(path).lazy() if is_stream else pl.scan_ipc(path, glob=False)


def _delta(path: str) -> tuple[pl.LazyFrame, str]:
    """The rows of a Delta table, and its version."""
    from deltalake import DeltaTable

    table = DeltaTable(path)
    return pl.scan_delta(table), f"version {table.version()}"


def _iceberg(path: str) -> tuple[pl.LazyFrame, str]:
    """The rows of an Iceberg table, and its snapshot."""
    from pyiceberg.table import StaticTable

    os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")  # the other one is a package of its own
    table = StaticTable.from_metadata(path)
    snapshot = table.current_snapshot()
    return pl.scan_iceberg(table), f"snapshot {snapshot.snapshot_id if snapshot else 'none'}"


_FILES: dict[str, Callable[[str], pl.LazyFrame]] = {"parquet": _parquet, "arrow": _arrow}
_LAKES: dict[str, Callable[[str], tuple[pl.LazyFrame, str]]] = {"delta": _delta, "iceberg": _iceberg}
FILES, LAKES = ("excel", *_FILES), tuple(_LAKES)
"""The formats of `TableFile`, and those of `LakeTable`."""
