"""Divides pairs on a cluster by time: the parts that `time_split` finds, and no machine holds all times."""

from dataclasses import replace

import numpy as np

from pipeline.arrays import Array
from pipeline.cluster.tasks import each, start
from pipeline.config.dataset import Dataset
from pipeline.out_of_core.csr_keys import Bucket, CsrKeys
from pipeline.records.pairs.cuts import Cuts, cut, histogram, last_times
from pipeline.records.pairs.divided_keys import shelves_of
from pipeline.records.pairs.divided_pairs import Chunk, DividedPairs, divided_pairs, of_own
from pipeline.records.pairs.time_split import cuts_of_examples, divided, held_out
from pipeline.records.records import Records


def split_pairs(records: Records, conf: Dataset) -> DividedPairs:
    """Make the pairs on the cluster that this process is connected to, with their parts.

    Raises:
        PipelineError: a column has a dtype from which such tokens cannot be made, or time cannot divide the records.
    """
    pairs = divided_pairs(records, conf)
    if not conf.split.by_time:
        return pairs
    table, schema = pairs.table, records.frame.collect_schema()
    how = held_out(table, conf)
    if how == "examples":
        return replace(pairs, table=divided(table, cuts_of_examples(table, conf), how, schema, conf))
    if how == "last":
        cuts = _cuts_of_last(pairs)
        told = [pairs.examples.tell(moments) for moments in cuts]
        chunks = [
            start(_parted_by_own, chunk, len(train), *train, *validation)
            for chunk, train, validation in zip(pairs.chunks, *told, strict=True)
        ]
    else:
        cuts = cut(pairs.n_pairs, lambda above, shift: _histogram(pairs, above, shift), conf)
        chunks = [start(_parted, chunk, cuts) for chunk in pairs.chunks]
    return replace(pairs, table=divided(table, cuts, how, schema, conf), chunks=chunks)


def _histogram(pairs: DividedPairs, above: int, shift: int) -> Array:
    counts = each(_counted, ((chunk, above, shift) for chunk in pairs.chunks))
    return sum(counts, np.zeros(1, np.int64))


def _counted(chunk: Chunk, above: int, shift: int) -> Array:
    assert chunk.time is not None
    return histogram(chunk.time, above, shift)


def _parted(chunk: Chunk, cuts: Cuts) -> Chunk:
    """A chunk whose pairs are divided by the same moments."""
    assert chunk.time is not None
    return chunk._replace(part=cuts.parts(chunk.time))


def _parted_by_own(chunk: Chunk, n_own: int, *told: Array) -> Chunk:
    """A chunk whose pairs are divided by the moments of their examples."""
    assert chunk.time is not None
    cuts = Cuts(of_own(chunk.example_share, told[:n_own]), of_own(chunk.example_share, told[n_own:]))
    return chunk._replace(part=cuts.parts(chunk.time, chunk.example))


def _cuts_of_last(pairs: DividedPairs) -> Cuts:
    """The moments of each example: the first time of a token that it has several times counts."""
    n, n_tokens = len(pairs.table.ids), pairs.table.tokens.height
    csr = CsrKeys.of(max(n, 1), max(n_tokens, 1), 1, pairs.n_pairs, least=True)
    shelves, _ = shelves_of(pairs, csr, np.arange(n), np.arange(n_tokens), None, weights="time")
    found = [cuts for of_shelf in each(_last_times, ((shelf,) for shelf in shelves)) for cuts in of_shelf]
    return Cuts(*(np.concatenate(moments)[:n] for moments in zip(*found, strict=True)))


def _last_times(shelf: list[Bucket]) -> list[Cuts]:
    return [last_times(bucket.indptr, bucket.weights) for bucket in shelf if bucket.weights is not None]
