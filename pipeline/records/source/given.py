"""Reads a table that another program has made and gives: a frame of Polars, pandas or Arrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import PipelineError
from pipeline.records.source.batch import Batch, content_hash
from pipeline.records.source.tables import batches_of, plain


def paths_given(value: Any) -> tuple[str, ...]:
    """The paths of files, if that is what is given: one, or a list of them; otherwise none."""
    several = value if isinstance(value, list | tuple) else (value,)
    return tuple(map(str, several)) if all(isinstance(one, str | Path) for one in several) else ()


class Given:
    """A table that is given, as a source."""

    def __init__(self, value: Any, name: str) -> None:
        """Look at its columns.

        Args:
            value: a frame of Polars, lazy or not, a data frame of pandas, or any table that Arrow can read.
            name: what people call it.

        Raises:
            PipelineError: it is no table.
        """
        self.name = name
        self._rows = plain(_as_frame(value, name))
        self.schema = self._rows.collect_schema()
        self.found: dict[str, str] = {}
        self.checksums: dict[str, str] = {}

    def batches(self) -> Iterator[Batch]:
        """All rows, in the order of the table."""
        checksum = 0
        for batch in batches_of(self._rows, self.name):
            yield batch
            checksum = (checksum + content_hash(batch.frame)) % 2**64
        self.checksums[self.name] = f"{checksum:016x}"


def _as_frame(value: Any, name: str) -> pl.LazyFrame:
    if isinstance(value, pl.LazyFrame):
        return value
    if isinstance(value, pl.DataFrame):
        return value.lazy()
    if type(value).__module__.startswith("pandas."):
        made = pl.from_pandas(value)  # without its index
        if isinstance(made, pl.DataFrame):
            return made.lazy()
    elif hasattr(value, "__arrow_c_stream__"):
        return pl.DataFrame(value).lazy()
    what = "has no value" if value is None else f"gives a {type(value).__name__}"
    raise PipelineError(
        f"{name}: {what}. Let it return a frame of Polars, pandas or Arrow, or the path of a file. "
        "(A Dagster project of your own has this asset.)"
    )
