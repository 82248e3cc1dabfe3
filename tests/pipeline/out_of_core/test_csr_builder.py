"""An external sort gives what a sort in memory would."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.out_of_core.csr_builder import CsrBuilder
from pipeline.out_of_core.csr_keys import BUCKETS, MOST_COLUMNS, MOST_ROWS

ENTRIES = st.lists(st.tuples(st.integers(0, 199), st.integers(0, 2**31 - 1) | st.integers(0, 3), st.integers(0, 2)))


def collected(builder: CsrBuilder) -> tuple[np.ndarray, ...]:
    """The whole CSR: row of each entry, index, count, part."""
    blocks = [(np.diff(bucket.indptr), bucket.indices, bucket.counts, bucket.parts) for bucket in builder]
    lengths, *entries = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    return np.repeat(np.arange(len(lengths)), lengths), *entries


@given(batches=st.lists(ENTRIES, max_size=4), n_columns=st.sampled_from([4, 100, MOST_COLUMNS]))
def test_entries_come_back_sorted_and_counted_with_the_smallest_part(
    batches: list[list[tuple[int, int, int]]], n_columns: int
) -> None:
    batches = [[(row, index % n_columns, part) for row, index, part in batch] for batch in batches]
    with CsrBuilder(200, n_columns) as builder:
        for batch in batches:
            rows, indices, parts = np.array(batch, np.int64).reshape(-1, 3).T
            builder.add(rows, indices, parts)
        found = collected(builder)
    entries = [entry for batch in batches for entry in batch]
    counts = Counter((row, index) for row, index, _ in entries)
    smallest = {key: min(part for row, index, part in entries if (row, index) == key) for key in counts}
    expected = [(*key, counts[key], smallest[key]) for key in sorted(counts)]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


@given(
    batches=st.lists(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.floats(1e-9, 1e9)))),
    random=st.randoms(use_true_random=False),
)
def test_weights_add_up_whatever_the_order_in_which_they_come(
    batches: list[list[tuple[int, int, float]]], random: Random
) -> None:
    def added(batches: list[list[tuple[int, int, float]]]) -> dict[tuple[int, int], float]:
        with CsrBuilder(21, 6, n_parts=1, n_entries=100, has_weights=True) as builder:
            for batch in batches:
                rows, indices, weights = np.array(batch, np.float64).reshape(-1, 3).T
                rows, indices = rows.astype(np.int64), indices.astype(np.int64)
                builder.add(rows, indices, np.zeros(len(rows), np.uint8), weights)
            (bucket,) = builder
        assert bucket.weights is not None
        rows = np.repeat(np.arange(21), np.diff(bucket.indptr)).tolist()
        return dict(zip(zip(rows, bucket.indices.tolist(), strict=True), bucket.weights.tolist(), strict=True))

    entries = [entry for batch in batches for entry in batch]
    expected: dict[tuple[int, int], float] = {}
    for row, index, weight in entries:
        expected[row, index] = expected.get((row, index), 0.0) + weight
    found = added(batches)
    assert found == pytest.approx(expected)
    shuffled = random.sample(entries, len(entries))
    assert added([shuffled[::2], shuffled[1::2]]) == found  # to the last bit


@pytest.mark.parametrize("n_rows", [0, 1, BUCKETS - 1, BUCKETS + 1, 1000])
def test_every_row_has_its_place_even_where_it_is_empty(n_rows: int) -> None:
    with CsrBuilder(n_rows, 3) as builder:
        lengths = [len(indptr) - 1 for indptr, *_ in builder]
    assert sum(lengths) == n_rows
    assert len(lengths) <= BUCKETS


@pytest.mark.parametrize(("n_rows", "n_columns"), [(MOST_ROWS, MOST_COLUMNS), (2**16, 2**20), (2**16 + 1, 2**20)])
def test_the_last_row_and_index_that_there_can_be_come_back(n_rows: int, n_columns: int) -> None:
    """With keys of 64 bits, of 32 bits that are all in use, and of one bit more."""
    with CsrBuilder(n_rows, n_columns) as builder:
        builder.add(np.array([n_rows - 1]), np.array([n_columns - 1]), np.array([2]))
        (path,) = [path for path in builder._paths if path.exists()]
        last = n_rows - builder._paths.index(path) * 2**builder._csr.row_bits
        indptr, indices, counts, parts, _ = builder._sorted(path, min(last, 2**builder._csr.row_bits))
    assert (indptr[-2:].tolist(), indices.tolist(), counts.tolist(), parts.tolist()) == (
        [0, 1],
        [n_columns - 1],
        [1],
        [2],
    )


def test_its_files_are_gone_after_it() -> None:
    with CsrBuilder(3, 3) as builder:
        builder.add(np.array([1]), np.array([1]), np.array([0]))
        (path,) = [path for path in builder._paths if path.exists()]
    assert not path.parent.exists()


def test_what_a_later_part_adds_is_not_in_the_weight_of_an_entry() -> None:
    """The parts are a person's past and future: in the past, it weighs 3."""
    rows, indices, parts, weights = (
        np.array([0] * 4),
        np.array([5, 5, 5, 7]),
        np.array([1, 0, 0, 2]),
        np.array([9, 1, 2, 4]),
    )
    with CsrBuilder(1, 8, has_weights=True) as builder:
        builder.add(rows, indices, parts, weights)
        ((_, found, counts, kept, summed),) = builder
    assert summed is not None
    assert (found.tolist(), counts.tolist(), kept.tolist(), summed.tolist()) == ([5, 7], [3, 1], [0, 2], [3, 4])


def test_the_least_weight_of_an_entry_can_count() -> None:
    with CsrBuilder(1, 8, n_parts=1, has_weights=True, least=True) as builder:
        builder.add(np.array([0, 0]), np.array([5, 5]), np.array([0, 0]), np.array([9.0, -2.0]))
        builder.add(np.array([0]), np.array([5]), np.array([0]), np.array([4.0]))
        ((_, _, _, _, least),) = builder
    assert least is not None
    assert least.tolist() == [-2]
