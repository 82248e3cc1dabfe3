"""Writes a Parquet file of records."""

from pathlib import Path

import polars as pl

FILES = "records-*.parquet"
"""The names of the files, which have the order of the records."""
_SOME = 1_000
"""The first records, which tell whether a column repeats its values."""


def file_of(folder: Path, number: int) -> Path:
    """The path of a file of records in a folder, by its number from 0."""
    return folder / FILES.replace("*", f"{number:05d}")


def write(path: Path, batch: pl.DataFrame) -> None:
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
