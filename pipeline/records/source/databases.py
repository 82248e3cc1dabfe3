"""Reads the answer to a query from a database, batch by batch: the whole answer is never in memory."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from pipeline.config.records import Source
from pipeline.errors import PipelineError, in_one_line
from pipeline.records.source.batch import Batch, content_hash, of_table
from pipeline.records.source.names import plain_names
from pipeline.records.source.nested import flat
from pipeline.records.source.paths import variables_put_in
from pipeline.secrets import masked

_ROWS = 100_000
"""Rows of a batch, at most."""
_POSTGRESQL = ("postgresql", "postgres")
_HALF_CHANGED = (
    "a program was stopped in the middle of a change of this database, and the next one that may write takes it back. "
    "Open it once with that program, or with `sqlite3`."
)
_Reader = Callable[[str, str], Iterator[pl.DataFrame]]
"""Gives the rows of the answer, by the database and the query."""
_INSTALL = "pip install 'embedding-pipeline[databases]'"


class Query:
    """The answer to a query, as a source."""

    def __init__(self, source: Source, conf_folder: Path) -> None:
        """Ask the database for the first rows, which tell the columns.

        Args:
            source: names the database and the query.
            conf_folder: folder of the conf file, where the path of a database file starts.

        Raises:
            PipelineError: the database cannot be opened, its driver is not installed, or the query is wrong.
        """
        assert source.query is not None
        assert source.database is not None
        self.name = masked(source.database)
        self.found: dict[str, str] = {}
        self.checksums: dict[str, str] = {}
        self._frames = self._read(variables_put_in(source.database, "source.database"), source.query, conf_folder)
        first = next(self._frames, None)
        assert first is not None, "every reader gives at least an empty frame, with the columns"
        self._first = first
        self.schema = first.schema

    def batches(self) -> Iterator[Batch]:
        """All rows, in the order of the answer.

        Raises:
            PipelineError: the database breaks off, or a column holds other values than its first rows.
        """
        number, checksum = 1, 0
        for frame in self._all():
            yield of_table(frame, self.name, number)
            number += frame.height
            checksum = (checksum + content_hash(frame)) % 2**64
        self.checksums[self.name] = f"{checksum:016x}"

    def _all(self) -> Iterator[pl.DataFrame]:
        yield self._first
        for frame in self._frames:
            if frame.schema != self.schema:
                frame = frame.cast(dict(self.schema))  # type: ignore[arg-type]
            yield frame

    def _read(self, database: str, query: str, conf_folder: Path) -> Iterator[pl.DataFrame]:
        """The rows, as the database gives them; an error of the database becomes a sentence."""
        reader, where = _reader(database, conf_folder, self.name)
        try:
            yield from reader(where, query)
        except ImportError as error:
            raise PipelineError(f"{self.name}: the driver is not installed ({error.name}). {_INSTALL}") from None
        except PipelineError:
            raise
        except Exception as error:  # each driver has exceptions of its own
            if getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY_ROLLBACK":
                raise PipelineError(f"{self.name}: {_HALF_CHANGED}") from None
            raise PipelineError(f"{self.name}: the query cannot be answered ({in_one_line(error)}).") from None


def _reader(database: str, conf_folder: Path, name: str) -> tuple[_Reader, str]:
    """What reads a database, and where the database is."""
    scheme = urlsplit(database).scheme if "://" in database else ""
    if scheme in _POSTGRESQL:
        return _from_postgresql, scheme + database[len(scheme) :]  # the driver knows no scheme in capitals
    by_scheme = {"": _FILES.get(Path(database).suffix.lower()), "sqlite": _from_sqlite, "duckdb": _from_duckdb}
    by_name = by_scheme.get(scheme)
    if by_name is None:
        raise PipelineError(
            f"{name}: which database is this? `source.database` is postgresql://me:${{PASSWORD}}@host/name, or a file "
            "that ends with .sqlite, .db or .duckdb (or begins with sqlite:// or duckdb://)."
        )
    place = database[len(f"{scheme}://") :] if scheme else database
    # of the four slashes that an absolute path has in SQLAlchemy's addresses two are left
    path = Path(place.replace("//", "/", 1) if place.startswith("//") else place).expanduser()
    for folder in (conf_folder, Path.cwd()):
        if (file := folder / path).is_file():
            return _reader_of(file) or by_name, str(file)
    raise PipelineError(f"{name}: there is no such file. Correct `source.database`.")


def _reader_of(file: Path) -> _Reader | None:
    """What reads a file by its first bytes, whatever its name is; None if these do not tell."""
    with file.open("rb") as opened:
        start = opened.read(16)
    if start.startswith(b"SQLite format 3"):
        return _from_sqlite
    return _from_duckdb if start[8:12] == b"DUCK" else None


def _from_postgresql(address: str, query: str) -> Iterator[pl.DataFrame]:
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(_within_another(query))  # the driver puts it into a COPY
        reader = cursor.fetch_record_batch()
        yield _frame(reader.schema.empty_table())
        for batch in reader:
            if batch.num_rows:
                yield from _frame(batch).iter_slices(_ROWS)


def _from_duckdb(path: str, query: str) -> Iterator[pl.DataFrame]:
    import duckdb

    with duckdb.connect(path, read_only=True) as connection:
        reader = connection.sql(query).to_arrow_reader(_ROWS)
        yield _frame(reader.schema.empty_table())
        for batch in reader:
            if batch.num_rows:
                yield _frame(batch)


def _frame(batch: Any) -> pl.DataFrame:
    """A batch of Arrow as a frame. Types that Arrow does not have are texts: numerics as they are, UUIDs as digits."""
    import pyarrow as pa

    columns = [
        column.storage if isinstance(column.type, pa.BaseExtensionType) else column
        for column in (column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column for column in batch)
    ]
    frame = pl.from_arrow(pa.table(dict(zip(batch.schema.names, columns, strict=True))))
    assert isinstance(frame, pl.DataFrame)
    return flat(frame.with_columns(pl.col(pl.Binary).bin.encode("hex")))


def _from_sqlite(path: str, query: str) -> Iterator[pl.DataFrame]:
    """The rows; a column is of the type into which all its values fit, as a column of SQLite may hold any."""
    query = in_brackets(query)
    address = f"{Path(path).absolute().as_uri()}?mode=ro"
    # a reading that was given up may be cleared away, and so closed, by any thread
    with closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as connection:
        names = [column[0] for column in connection.execute(f"select * from {query} limit 0").description]
        dtypes = (_sqlite_dtype(connection, query, name) for name in names)
        schema = dict(zip(plain_names(names), dtypes, strict=True))
        answer = connection.execute(f"select * from {query}")
        yield pl.DataFrame(schema=schema)
        while rows := answer.fetchmany(_ROWS):
            columns = zip(*rows, strict=True)
            yield pl.DataFrame(
                [_series(name, values, dtype) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
            )


def _series(name: str, values: tuple[Any, ...], dtype: pl.DataType) -> pl.Series:
    if dtype == pl.String:
        values = tuple(str(value) if value is not None else None for value in values)
    return pl.Series(name, values, dtype=dtype)


def _sqlite_dtype(connection: sqlite3.Connection, query: str, column: str) -> pl.DataType:
    found = connection.execute(f"select distinct typeof({quoted(column)}) from {query}")
    kinds = {kind for (kind,) in found} - {"null"}
    if kinds == {"integer"}:
        return pl.Int64()
    if kinds and kinds <= {"integer", "real"}:
        return pl.Float64()
    return pl.Binary() if kinds == {"blob"} else pl.String()


_FILES: dict[str, _Reader] = {
    **dict.fromkeys((".sqlite", ".sqlite3", ".db"), _from_sqlite),
    **dict.fromkeys((".duckdb", ".ddb"), _from_duckdb),
}
"""What reads a file by the ending of its name, if its first bytes do not tell."""


def in_brackets(query: str) -> str:
    """A query in brackets, so that another one can read from its answer."""
    return f"(\n{_within_another(query)})"


def _within_another(query: str) -> str:
    """A query that can stand within another one: no semicolon ends it, and a comment at its end ends with its line."""
    return f"{query.strip().rstrip(';')}\n"


def quoted(column: str) -> str:
    """The name of a column as SQL has it, whatever its characters are."""
    return '"' + column.replace('"', '""') + '"'
