"""An external sort gives what a sort in memory would."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.csr_builder import BUCKETS, MOST_ROWS, CsrBuilder

ENTRIES = st.lists(st.tuples(st.integers(0, 199), st.integers(0, 2**31 - 1) | st.integers(0, 3), st.integers(0, 2)))


def collected(builder: CsrBuilder) -> tuple[np.ndarray, ...]:
    """The whole CSR: row of each entry, index, count, part."""
    blocks = [(np.diff(indptr), *entries) for indptr, *entries in builder]
    lengths, *entries = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    return np.repeat(np.arange(len(lengths)), lengths), *entries


@given(batches=st.lists(ENTRIES, max_size=4))
def test_entries_come_back_sorted_and_counted_with_the_smallest_part(
    batches: list[list[tuple[int, int, int]]],
) -> None:
    with CsrBuilder(n_rows=200) as builder:
        for batch in batches:
            rows, indices, parts = np.array(batch, np.int64).reshape(-1, 3).T
            builder.add(rows, indices, parts)
        found = collected(builder)
    entries = [entry for batch in batches for entry in batch]
    counts = Counter((row, index) for row, index, _ in entries)
    smallest = {key: min(part for row, index, part in entries if (row, index) == key) for key in counts}
    expected = [(*key, counts[key], smallest[key]) for key in sorted(counts)]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


@pytest.mark.parametrize("n_rows", [0, 1, BUCKETS - 1, BUCKETS + 1, 1000])
def test_every_row_has_its_place_even_where_it_is_empty(n_rows: int) -> None:
    with CsrBuilder(n_rows) as builder:
        lengths = [len(indptr) - 1 for indptr, *_ in builder]
    assert sum(lengths) == n_rows
    assert len(lengths) <= BUCKETS


def test_the_last_row_and_index_that_there_can_be_fit_into_a_key() -> None:
    with CsrBuilder(MOST_ROWS) as builder:
        builder.add(np.array([MOST_ROWS - 1]), np.array([2**31 - 1]), np.array([2]))
        (path,) = [path for path in builder._paths if path.exists()]
        assert np.fromfile(path, np.uint64).tolist() == [2**64 - 2]


def test_its_files_are_gone_after_it() -> None:
    with CsrBuilder(3) as builder:
        builder.add(np.array([1]), np.array([1]), np.array([0]))
        (path,) = [path for path in builder._paths if path.exists()]
    assert not path.parent.exists()
