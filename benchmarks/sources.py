"""The same pairs from every kind of source to a CSR matrix: what a database, a filter and a weight cost beside a CSV.

The PostgreSQL is one that the contest starts; the others are files that it makes of the generated pairs. To each pair
they add a rating from 1 to 5, by which nothing is left out.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.apart import apart
from benchmarks.encoders import NEEDED, OURS, encoded
from benchmarks.postgresql import cluster
from docs.tour import free_port

BASE = "csv"
ADDRESS = "BENCHMARK_POSTGRESQL"
"""The variable of the environment that has the address of the server."""
_QUERY = "query: 'select \"user\", movie, rating from watched'"
SOURCES = {
    BASE: "source: {path: watched.csv}",
    "csv_filtered": "source: {path: watched.csv, where: rating between 1 and 5}",
    "csv_weighted": "source: {path: watched.csv}\nweight: rating",
    "parquet": "source: {path: watched.parquet}",
    "duckdb": f"source: {{database: watched.duckdb, {_QUERY}}}",
    "postgresql": f"source: {{database: '${{{ADDRESS}}}', {_QUERY}}}",
    "postgresql_filtered_weighted": (
        f"source: {{database: '${{{ADDRESS}}}', {_QUERY}, where: rating between 1 and 5}}\nweight: rating"
    ),
}
"""The settings of each, beside those that all have."""
_DRIVERS = {"duckdb": "duckdb", "postgresql": "adbc_driver_postgresql.dbapi"}


def encode_from(name: str, folder: Path) -> tuple[float, dict[str, Any]]:
    """Make the examples from one source: the seconds, and how many pairs were found."""
    for module in (*NEEDED[OURS], *(_DRIVERS[kind] for kind in _DRIVERS if name.startswith(kind))):
        import_module(module)
    with TemporaryDirectory() as out:
        start = time.perf_counter()
        found = encoded(SOURCES[name], folder, Path(out))
        seconds = time.perf_counter() - start
    return seconds, {"pairs": found[-1]}


@contextmanager
def prepared(csv: Path, folder: Path) -> Iterator[Path]:
    """A folder with the pairs and their ratings in each file, and a server that has them too."""
    apart(_write, csv, folder)
    with cluster(free_port()) as server:
        os.environ[ADDRESS] = f"{server.address}/postgres"
        apart(_fill, folder / "watched.csv", os.environ[ADDRESS])
        yield folder
    del os.environ[ADDRESS]


def _write(csv: Path, folder: Path) -> None:
    """Write the pairs of a CSV file, and a rating for each, as CSV, Parquet and a file of DuckDB."""
    import duckdb
    import polars as pl

    pairs = pl.scan_csv(csv).with_columns(rating=(pl.col("movie").hash(1) % 5 + 1).cast(pl.Int8))
    pairs.sink_csv(folder / "watched.csv")
    pairs.sink_parquet(folder / "watched.parquet")
    with closing(duckdb.connect(str(folder / "watched.duckdb"))) as database:
        database.sql(f"create table watched as select * from '{folder / 'watched.parquet'}'")


def _fill(csv: Path, address: str) -> None:
    """Make a table of the pairs in PostgreSQL."""
    import polars as pl
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        for batch in pl.scan_csv(csv).collect_batches(chunk_size=1_000_000):
            cursor.adbc_ingest("watched", batch.to_arrow(), mode="create_append")
        connection.commit()


def table(medians: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """The medians of each source, and their ratios to those of the CSV file."""
    base = medians[BASE]
    rows = [["source to CSR", "seconds", "to csv's", "peak memory, MB", "to csv's"]]
    for name, found in medians.items():
        ratios = {key: f"{found[key] / base[key]:.2f}" for key in ("seconds", "peak_mb")}
        rows.append([name, f"{found['seconds']:.1f}", ratios["seconds"], f"{found['peak_mb']:,.0f}", ratios["peak_mb"]])
    return rows
