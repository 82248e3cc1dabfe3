"""An array that grows, and may become larger than memory."""

import tempfile
import weakref

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Array


class Growing:
    """A one-dimensional array that grows in a nameless temporary file; the file is gone when the array is.

    >>> growing = Growing(np.int32)
    >>> growing.append(np.array([1, 2])), growing.append(np.array([3]))
    (None, None)
    >>> growing.array().tolist()
    [1, 2, 3]
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        """Start with an empty array."""
        self._dtype = np.dtype(dtype)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the array grows)
        weakref.finalize(self, self._file.close)  # in case the array is never asked for
        self._length = 0

    def append(self, values: Array) -> None:
        """Add values at the end."""
        values.astype(self._dtype, copy=False).tofile(self._file)
        self._length += len(values)

    def array(self) -> Array:
        """The whole array, memory-mapped."""
        with self._file as file:
            file.flush()
            if not self._length:
                return np.empty(0, self._dtype)
            return np.memmap(file, self._dtype, mode="r+", shape=(self._length,))
