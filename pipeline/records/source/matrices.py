"""Reads sparse matrices: svmlight, Matrix Market and SciPy's .npz. Each row is a record with a list of its columns.

The matrix is in memory as a whole, as its libraries read it.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.errors import PipelineError, first_line
from pipeline.records.source.batch import Batch, of_table
from pipeline.records.source.streams import TextFile

ROWS = 100_000
"""The most rows of a batch."""
_FIRST = {"svmlight": (1, 0), "matrix_market": (1, 1), "npz": (0, 0)}
"""The numbers of the first row and of the first column in each format."""
FORMATS = tuple(_FIRST)


class SparseMatrix:
    """A file with a sparse matrix.

    The columns of its records are `row`, the number of the row; `items`, the numbers of the columns in which it has a
    value above 0, as the file counts them; and `label`, which only svmlight has.
    """

    def __init__(self, file: TextFile, kind: str, rows_before: int) -> None:
        """Read the matrix.

        Args:
            file: the file.
            kind: one of `FORMATS`.
            rows_before: the rows of the files before it, whose numbers its own continue.

        Raises:
            PipelineError: it is no such matrix, or damaged.
        """
        self._name, self._file = file.name, file
        try:
            self._matrix, self._labels = _READERS[kind](file)
            if self._matrix.dtype.kind not in "biuf":
                raise ValueError(f"it holds values of {self._matrix.dtype}, and real numbers are asked for")
            self._matrix.check_format()
        except (ValueError, TypeError, KeyError, OverflowError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise PipelineError(f"{file.name}: cannot be read as {kind} ({first_line(error)}).") from error
        self._first_row, self._first_column = _FIRST[kind]
        self._first_row += rows_before
        n_left_out = int(np.count_nonzero(~(self._matrix.data > 0)))
        self.found = (
            {f"left out of {file.name}": f"stored values that are not above 0: {n_left_out:,}"} if n_left_out else {}
        )
        self.schema = next(self.batches()).frame.schema

    @property
    def n_rows(self) -> int:
        """The number of its rows."""
        return int(self._matrix.shape[0])

    @property
    def checksum(self) -> str:
        """The SHA-256 of the bytes on disk."""
        return self._file.checksum

    def batches(self) -> Iterator[Batch]:
        """All rows of the matrix, in its order."""
        for start in range(0, max(1, self.n_rows), ROWS):
            rows = self._matrix[start : start + ROWS]
            yield of_table(self._frame(rows, start), self._name, start + 1)

    def _frame(self, rows: Any, start: int) -> pl.DataFrame:
        import pyarrow as pa

        is_above, numbers = rows.data > 0, np.arange(start, start + rows.shape[0])
        ends = np.concatenate([[0], np.cumsum(is_above)])[rows.indptr]
        items = rows.indices[is_above].astype(np.int64) + self._first_column
        lists = pl.Series("items", pa.LargeListArray.from_arrays(ends, items))
        frame = pl.DataFrame({"row": numbers + self._first_row, "items": lists})
        return frame if self._labels is None else frame.with_columns(label=self._labels[numbers])


def _svmlight(file: TextFile) -> tuple[Any, Array]:
    """The matrix, and the labels: whole numbers if all of them are."""
    from sklearn.datasets import load_svmlight_file

    with file.stream() as stream:
        matrix, labels = load_svmlight_file(stream, zero_based=True)
    whole = labels.astype(np.int64)
    return matrix.tocsr(), whole if np.array_equal(whole, labels) else labels


def _matrix_market(file: TextFile) -> tuple[Any, None]:
    from scipy.io import mmread
    from scipy.sparse import issparse

    with file.stream() as stream:
        matrix = mmread(stream)
    if not issparse(matrix):
        raise ValueError("it holds a dense array")
    return matrix.tocsr(), None


def _npz(file: TextFile) -> tuple[Any, None]:
    from scipy.sparse import load_npz

    whole = io.BytesIO(file.whole())
    with zipfile.ZipFile(whole) as archive:
        if "format.npy" not in archive.namelist():
            raise ValueError("it holds other arrays than those of a sparse matrix")
    return load_npz(whole).tocsr(), None


_READERS: dict[str, Any] = {"svmlight": _svmlight, "matrix_market": _matrix_market, "npz": _npz}
