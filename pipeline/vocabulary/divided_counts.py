"""Counts the tokens of the training examples on a cluster: each chunk of the pairs its own, added up share by share."""

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.cluster.connection import connected
from pipeline.cluster.tasks import each, start
from pipeline.config.dataset import Dataset
from pipeline.out_of_core.csr_keys import Bucket, CsrKeys
from pipeline.records.pairs.divided_keys import shelves_of
from pipeline.records.pairs.divided_pairs import Chunk, DividedPairs, by_share, of_own
from pipeline.records.pairs.divided_time_split import split_pairs
from pipeline.records.records import Records
from pipeline.records.splitting.assignment import Assignment, are_learned_from, assign, last_part
from pipeline.vocabulary.room import require_room
from pipeline.vocabulary.vocabulary import Vocabulary, vocabulary_of


def count_on_cluster(
    records: Records, conf: Dataset, before: Vocabulary | None, parts: pl.DataFrame | None
) -> Vocabulary:
    """The vocabulary of the training examples; see `count`.

    Raises:
        PipelineError: there is no cluster, no token is frequent enough, the examples cannot be split as conf says, or
            the data has no room for a D of conf.
    """
    with connected(f"{conf.file}, engine"):
        pairs = split_pairs(records, conf)
        assignment = assign(pairs.table, conf, parts)
        vocabulary = _counted_in_chunks(pairs, assignment, conf, before)
    require_room(conf, assignment.n_training, len(vocabulary))
    return vocabulary


def _counted_in_chunks(
    pairs: DividedPairs, assignment: Assignment, conf: Dataset, before: Vocabulary | None
) -> Vocabulary:
    """The vocabulary; see `build_vocabulary`."""
    learned = are_learned_from(assignment, conf)  # (N,)
    last = last_part(conf) if assignment.by_token else None
    told = pairs.examples.tell(np.append(learned, False)[assignment.row])  # row -1 picks the last, False
    n_shares = len(pairs.tokens.same)
    counted = [
        start(_counted, chunk, last, n_shares, *own, returns=n_shares)
        for chunk, own in zip(pairs.chunks, told, strict=True)
    ]
    counts = pairs.tokens.added(counted)
    shares = _shares(pairs, assignment, learned, last) if conf.vocabulary.max_share else np.zeros(len(counts))
    return vocabulary_of(pairs.table.tokens, counts, shares, conf, before)


def _counted(chunk: Chunk, last: int | None, n_shares: int, *learned: Array) -> list[Array]:
    """How often each token of a chunk occurs in what is learned from, share by share.

    Args:
        chunk: some pairs.
        last: pairs of the parts up to this one are learned from; None: those of the examples that are learned from.
        n_shares: the number of shares.
        learned: whether each example of the chunk is learned from.
    """
    kept = of_own(chunk.example_share, learned)[chunk.example] if last is None else chunk.part <= last
    counts = np.bincount(chunk.token[kept], minlength=len(chunk.token_share))
    return by_share(chunk.token_share, counts, n_shares)


def _shares(pairs: DividedPairs, assignment: Assignment, learned: Array, last: int | None) -> Array:
    """(T,) the share of the examples that are learned from that have each token."""
    n_tokens = pairs.table.tokens.height
    csr = CsrKeys.of(len(assignment.examples), n_tokens, 1, pairs.n_pairs)
    rows = np.where(np.append(learned, False)[assignment.row], assignment.row, -1)
    shelves, _ = shelves_of(pairs, csr, rows, np.arange(n_tokens), last)
    counts = sum(each(_occurring, ((shelf, n_tokens) for shelf in shelves)), np.zeros(n_tokens, np.int64))
    return counts / max(int(learned.sum()), 1)


def _occurring(shelf: list[Bucket], n_tokens: int) -> Array:
    """(T,) how many rows of a shelf have each token."""
    counts = np.zeros(n_tokens, np.int64)
    for bucket in shelf:
        counts += np.bincount(bucket.indices, minlength=n_tokens)
    return counts
