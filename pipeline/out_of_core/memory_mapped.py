"""Arrays that may be larger than memory: mapped from disk, read and written block by block."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array

MAPPED_BLOCK_BYTES = 2**25
"""Bytes of a memory map that are read or written at a time."""


@dataclass(frozen=True)
class Reference:
    """Where a memory-mapped array is on disk; with it another process can map the array too."""

    path: str
    dtype: str
    offset: int
    shape: tuple[int, ...]


def reference(value: Any) -> Any:
    """A reference, if the value is a whole array mapped from a file; any other value as it is."""
    if isinstance(value, np.memmap) and isinstance(value.base, mmap.mmap) and value.filename is not None:
        return Reference(str(value.filename), value.dtype.str, value.offset, value.shape)
    return value


def referred(value: Any) -> Any:
    """The array that a reference stands for, mapped again; any other value as it is."""
    if isinstance(value, Reference):
        return np.memmap(value.path, value.dtype, mode="r", offset=value.offset, shape=value.shape)
    return value


def blocks(array: Array) -> Iterator[Array]:
    """The rows of an array in blocks; of a memory map, at most one block at a time stays in memory."""
    step = max(1, MAPPED_BLOCK_BYTES // max(1, array.nbytes // max(1, len(array))))
    for start in range(0, len(array), step):
        yield array[start : start + step]
        release(array)


def release(array: Array) -> None:
    """Free the memory that a memory map takes; what is read again comes from the disk."""
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def load(path: Path) -> Any:
    """The array that `save` wrote, memory-mapped; an empty one without a file, as an earlier version left it."""
    return np.load(path, mmap_mode="r") if path.exists() else np.empty(0)


def save(path: Path, array: Array) -> None:
    """Write a `.npy` file, block by block."""
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(array) | {"fortran_order": False}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks(array):
            block.tofile(file)  # row after row, however the array lies in memory
