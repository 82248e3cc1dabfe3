"""Raw records and a vocabulary -> sparse examples, made on a cluster: the same bytes that `encoding` makes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.cluster.connection import connected
from pipeline.cluster.tasks import each, get, start
from pipeline.config.dataset import Dataset
from pipeline.examples.encoding import examples_of, fold_in, refuse, whole
from pipeline.examples.recency import times_in
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.out_of_core.csr_keys import Bucket, CsrKeys
from pipeline.out_of_core.growing import Growing
from pipeline.records.pairs.divided_keys import shelves_of
from pipeline.records.pairs.divided_pairs import DividedPairs
from pipeline.records.pairs.divided_time_split import split_pairs
from pipeline.records.records import Records
from pipeline.records.splitting.assignment import Assignment, assign
from pipeline.schemas import PARTS
from pipeline.vocabulary.vocabulary import Vocabulary


def encode_on_cluster(
    records: Records, vocabulary: Vocabulary, conf: Dataset, parts: pl.DataFrame | None
) -> SparseExamples:
    """Turn the raw records into sparse examples; see `encode`.

    Raises:
        PipelineError: there is no cluster, a token is unknown and conf refuses it, or what is to be predicted cannot be
            used.
    """
    with connected(f"{conf.file}, engine"):
        return encode_pairs(split_pairs(records, conf), records, vocabulary, conf, parts)


def encode_pairs(
    pairs: DividedPairs,
    records: Records,
    vocabulary: Vocabulary,
    conf: Dataset,
    parts: pl.DataFrame | None = None,
) -> SparseExamples:
    """Turn pairs on a cluster into sparse examples here; see `encode_on_cluster`."""
    assignment, n_pairs = assign(pairs.table, conf, parts), pairs.n_pairs
    index = vocabulary.encode(pairs.table.tokens["token"])
    if conf.vocabulary.unknown == "refuse" and (index < 0).any():
        raise refuse(conf, pairs.table.tokens["token"][int(np.flatnonzero(index < 0)[0])])
    n_parts = len(PARTS) if assignment.by_token else 1
    csr = CsrKeys.of(len(assignment.examples), len(vocabulary), n_parts, n_pairs)
    shelves, n_unknown = shelves_of(pairs, csr, assignment.row, index, None, has_parts=assignment.by_token)
    times = _times(pairs, assignment, index)
    del pairs  # the cluster needs the room
    matrix = whole(_finished(shelves, conf, conf.task.predicts_tokens and not assignment.by_token))
    counts = {"pairs": n_pairs, "unknown_tokens": n_unknown}
    return examples_of(matrix, times, records.frame, vocabulary, conf, assignment, counts)


def _times(pairs: DividedPairs, assignment: Assignment, index: Array) -> Array:
    """The times of the pairs, as `recency.times_of` finds them."""
    found = Growing(np.uint32)
    if assignment.by_token and assignment.divided is not None:
        csr = CsrKeys.of(len(assignment.examples), int(index.max()) + 1, 1, pairs.n_pairs, least=True)
        shelves, _ = shelves_of(pairs, csr, assignment.row, index, None, weights="time")
        for times in each(_times_of, ((shelf,) for shelf in shelves)):
            found.append(times)
    return found.array()


def _times_of(shelf: list[Bucket]) -> Array:
    return np.concatenate([times_in(bucket) for bucket in shelf])


def _finished(shelves: list[Any], conf: Dataset, folds_in: bool) -> Iterator[Bucket]:
    """The buckets of all shelves, in order; in those of held-out examples some tokens go in."""
    if folds_in:
        sizes = get([start(_size, shelf) for shelf in shelves])
        starts = np.append(0, np.cumsum(sizes))
        found = [
            start(_folded_in, shelf, conf.task.share_in, conf.seed, int(drawn))
            for shelf, drawn in zip(shelves, starts, strict=False)
        ]
        shelves.clear()
    else:
        found = shelves
    while found:
        yield from get(found.pop(0))


def _size(shelf: list[Bucket]) -> int:
    return sum(len(bucket.indices) for bucket in shelf)


def _folded_in(shelf: list[Bucket], share: float, seed: int, drawn: int) -> list[Bucket]:
    """The buckets with the parts of held-out examples, after the random numbers that earlier shelves have drawn."""
    random = np.random.default_rng(seed)
    random.bit_generator.advance(drawn)  # type: ignore[attr-defined]  # PCG64: a step for each number
    found = []
    for bucket in shelf:
        numbers = random.random(len(bucket.indices))
        found.append(bucket._replace(parts=fold_in(bucket.indptr, share, numbers)))
    return found
