"""Pairs in chunks on a cluster -> the buckets of a CSR matrix there: each chunk makes keys, and tasks sort them.

A shelf is a few neighbouring buckets, which one task sorts one after the other.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.cluster.tasks import get, start
from pipeline.out_of_core.csr_keys import Bucket, CsrKeys, Keyed
from pipeline.records.pairs.divided_pairs import Chunk, DividedPairs, of_own


def shelves_of(
    pairs: DividedPairs,
    csr: CsrKeys,
    rows: Array,
    columns: Array,
    last: int | None,
    has_parts: bool = False,
    weights: Literal["weight", "time"] = "weight",
) -> tuple[list[Any], int]:
    """The shelves of a matrix, each a list of buckets on the cluster, and the number of pairs that are not in it.

    Args:
        pairs: its entries.
        csr: the keys of the matrix.
        rows: (E,) the row of each example number; -1: its pairs are not in the matrix.
        columns: (T,) the column of each token number, or -1.
        last: only the pairs of the parts up to this one are in the matrix; None: of all parts.
        has_parts: whether the entries have the parts of their pairs.
        weights: what of the pairs the weights are.
    """
    n_buckets = len(csr.lengths)
    shelves = np.unique(np.linspace(0, n_buckets, min(n_buckets, len(pairs.tokens.same)) + 1).astype(np.int64))
    told = zip(pairs.chunks, pairs.examples.tell(rows), pairs.tokens.tell(columns), strict=True)
    settings = csr, shelves, last, has_parts, weights
    made = [
        start(_keyed, chunk, *settings, len(own), *own, *tokens, returns=len(shelves)) for chunk, own, tokens in told
    ]
    n_left_out = sum(get([of_chunk[0] for of_chunk in made]))
    lengths = csr.lengths
    return [
        start(_sorted, csr, lengths[low:high], *(of_chunk[1 + i] for of_chunk in made))
        for i, (low, high) in enumerate(pairwise(shelves))
    ], n_left_out


def _keyed(
    chunk: Chunk,
    csr: CsrKeys,
    shelves: Array,
    last: int | None,
    has_parts: bool,
    weights: Literal["weight", "time"],
    n_own: int,
    *told: Array,
) -> tuple[Any, ...]:
    """The number of a chunk's pairs that are not in the matrix, and the keys of the others, shelf by shelf."""
    rows = of_own(chunk.example_share, told[:n_own])[chunk.example]
    columns = of_own(chunk.token_share, told[n_own:])[chunk.token]
    kept = (rows >= 0) & (columns >= 0)
    if last is not None:
        kept &= chunk.part <= last
    rows, columns, parts, weight = rows[kept], columns[kept], chunk.part[kept], getattr(chunk, weights)
    parts = parts if has_parts else np.zeros(len(parts), np.uint8)
    keys, ordered, ends = csr.keyed(rows, columns, parts, None if weight is None else weight[kept])
    ends = np.append(0, ends)
    pieces = []
    for low, high in pairwise(shelves):
        some = slice(ends[low], ends[high])
        own = None if ordered is None else ordered[some]
        pieces.append(Keyed(keys[some], own, ends[low + 1 : high + 1] - ends[low]))
    return (int(len(kept) - len(rows)), *pieces)


def _sorted(csr: CsrKeys, lengths: Sequence[int], *pieces: Keyed) -> list[Bucket]:
    """The buckets of a shelf."""
    found = []
    for i, n_rows in enumerate(lengths):
        places = [slice(piece.ends[i - 1] if i else 0, piece.ends[i]) for piece in pieces]
        keys = np.concatenate([piece.keys[some] for piece, some in zip(pieces, places, strict=True)])
        weights = [piece.weights[some] for piece, some in zip(pieces, places, strict=True) if piece.weights is not None]
        found.append(csr.bucket(keys, np.concatenate(weights) if weights else None, n_rows))
    return found
