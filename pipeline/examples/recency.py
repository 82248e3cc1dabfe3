"""What the tokens of a list count by how lately they came, where the lists have an order.

The time of a token in its example is a whole number from 0: tokens of the same time share one, and the first time of a
token that an example has several times counts. Its age in a list is how many times came after.

Letters: N examples, V vocabulary, P pairs, T tokens of some lists.
"""

import numpy as np

from pipeline.arrays import Array
from pipeline.out_of_core.csr_builder import CsrBuilder
from pipeline.out_of_core.csr_keys import Bucket
from pipeline.out_of_core.growing import Growing
from pipeline.records.pairs.pair_table import PairTable
from pipeline.records.splitting.assignment import Assignment

ORDERED = "ordered"
"""What says among the settings that validation chose that a fit has learned the order of lists."""
_LEAST = 1e-30
"""No token counts nothing, however long ago it came."""


def times_of(table: PairTable, assignment: Assignment, index: Array, size: int) -> Array:
    """(P,) uint32 the times of the pairs, in the order of the matrix; empty where the tokens are not split by time.

    Args:
        table: the pairs of all examples.
        assignment: the split of the rows.
        index: the integer of each token number, -1 for a token without a place.
        size: V.
    """
    found = Growing(np.uint32)
    if not assignment.by_token or not len(table.time):
        return found.array()
    with CsrBuilder(len(assignment.examples), size, 1, len(table), has_weights=True, least=True) as builder:
        for block in table.blocks():
            assert block.time is not None
            place = index[block.token]
            known = place >= 0
            rows = assignment.row[block.example[known]]
            builder.add(rows, place[known], np.zeros(len(rows), np.uint8), block.time[known])
        for bucket in builder:
            found.append(times_in(bucket))
    return found.array()


def times_in(bucket: Bucket) -> Array:
    """(b,) uint32 the times of the entries of a bucket, whose weights say when."""
    rows = np.repeat(np.arange(len(bucket.indptr) - 1), np.diff(bucket.indptr))
    return ranks(rows, np.empty(0) if bucket.weights is None else bucket.weights)


def ranks(rows: Array, moments: Array) -> Array:
    """(T,) uint32 which of the different moments of its row each one is, from 0.

    >>> ranks(np.array([0, 0, 0, 1]), np.array([7.0, 3.0, 7.0, 5.0]))
    array([1, 0, 1, 0], dtype=uint32)

    Args:
        rows: (T,) ascending.
        moments: (T,).
    """
    order = np.lexsort((moments, rows))
    in_row, sorted_moments = rows[order], moments[order]
    begins = np.append(True, np.diff(in_row) > 0)[: len(rows)]
    later = np.append(False, np.diff(sorted_moments) > 0)[: len(rows)] & ~begins
    count = np.cumsum(later)
    found = np.empty(len(rows), np.uint32)
    found[order] = count - np.repeat(count[begins], np.diff(np.append(np.flatnonzero(begins), len(rows))))
    return found


def ages_of(times: Array, lengths: Array) -> Array:
    """(T,) how many times of its list came after that of each token.

    >>> ages_of(np.array([0, 1, 1, 0]), np.array([3, 0, 1]))
    array([1, 0, 0, 0])

    Args:
        times: (T,) of lists that follow each other.
        lengths: (N,) of the lists.
    """
    there = lengths[lengths > 0]
    last = np.maximum.reduceat(times, np.cumsum(there) - there) if len(there) else times
    return np.asarray(np.repeat(last, there).astype(np.int64) - times)


def counted(lengths: Array, moments: Array, decay: float) -> Array:
    """(T,) float64 what the tokens of lists count, by the moments at which they came; see `decayed`.

    Args:
        lengths: (N,) of lists that follow each other.
        moments: (T,) such as their places in a list.
        decay: above 0; with 1 all count 1.
    """
    if decay == 1:
        return np.ones(len(moments))
    return decayed(ages_of(ranks(np.repeat(np.arange(len(lengths)), lengths), moments), lengths), lengths, decay)


def decayed(ages: Array, lengths: Array, decay: float) -> Array:
    """(T,) float64 what each token counts: decay^age, times a number that makes it 1 on average in each list.

    >>> decayed(np.array([2, 1, 0, 0]), np.array([3, 1]), 0.5).round(3)
    array([0.429, 0.857, 1.714, 1.   ])

    Args:
        ages: (T,) of lists that follow each other.
        lengths: (N,) of the lists.
        decay: above 0, at most 1.
    """
    there = lengths[lengths > 0]
    counts = decay ** ages.astype(np.float64)
    mean = np.add.reduceat(counts, np.cumsum(there) - there) / there if len(there) else counts
    return np.asarray(np.maximum(counts / np.repeat(mean, there), _LEAST))
