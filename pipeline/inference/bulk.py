"""Answers in bulk: for every example of a dataset, or for every record of a file, written as they are made."""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from scipy import sparse

from pipeline.cluster import tasks
from pipeline.embedding import Embedding
from pipeline.errors import PipelineError
from pipeline.evaluation.ranking import decay_of
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.examples.weight_scale import UNWEIGHTED, WeightScale
from pipeline.inference.best_tokens import Best
from pipeline.inference.carried import Carried
from pipeline.inference.model import Model
from pipeline.inference.recommender import Recommender
from pipeline.vocabulary.vocabulary import Vocabulary

AT_ONCE = 2_000
"""Examples that are answered at once."""
SAID_EVERY = 30.0
"""Seconds between two lines of progress."""
_FILE = "recommendations.parquet"
Lists = tuple[pl.Series, sparse.csr_matrix]
"""The ids of some lists, and the lists (N, V)."""
Scales = tuple[WeightScale, WeightScale | None]
"""What weights count by in today's examples, and in those of a model; None if it learned without weights."""


@dataclass(frozen=True)
class Recommendations:
    """The best tokens of each example, in a file: `example`, `rank`, `token`, `label` and `score`."""

    folder: Path

    @property
    def frame(self) -> pl.LazyFrame:
        """One row for each example and rank, the examples in their order."""
        return pl.scan_parquet(self.folder / _FILE, glob=False)

    def save(self, folder: Path) -> None:
        """Move the file into a folder."""
        (self.folder / _FILE).rename(folder / _FILE)
        self.folder.rmdir()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` moved into a folder."""
        return cls(folder)


def recommend_each(
    model: Model,
    examples: SparseExamples,
    vocabulary: Vocabulary,
    folder: Path,
    log: logging.Logger,
    engine: str = "local",
) -> Recommendations:
    """Recommend tokens for each example of a dataset, a batch at a time.

    Args:
        model: of the task of missing tokens. If it has an older vocabulary, tokens that it does not know are left out.
        examples: all their tokens go in.
        vocabulary: of the examples.
        folder: created here, for the file.
        log: gets a line of progress now and then.
        engine: `local` or `ray`.

    Raises:
        PipelineError: the vocabulary is not that of the examples, or the model recommends nothing.
    """
    if not isinstance(model, Recommender):
        raise PipelineError(f"{model.facts['name']}: its model predicts no tokens.")
    vocabulary.require(examples.about["vocabulary"], "the sparse examples")
    to_own, rows = _to_own(model.embedding, vocabulary), examples.everything()
    scales, decay = own_scales(model, examples), decay_of(model.fitted)
    ordered = replace(rows.inputs, weights=None).recent(decay)  # what has learned an order has learned no weights
    folder.mkdir(parents=True)

    def lists() -> Iterator[Lists]:
        last_line = time.monotonic()
        for start in range(0, len(rows), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            if decay < 1:
                yield rows.ids[some], ordered[some] if to_own is None else sparse.csr_matrix(ordered[some] @ to_own)
            else:
                yield rows.ids[some], in_own(rows.inputs[some], to_own, scales)
            if time.monotonic() - last_line > SAID_EVERY:
                last_line = time.monotonic()
                log.info(f"{model.facts['name']}: recommendations for {start + AT_ONCE:,} of {len(rows):,} examples")

    write_batches(recommended(model, lists(), engine), folder / _FILE)
    return Recommendations(folder)


def recommended(model: Recommender, lists: Iterable[Lists], engine: str) -> Iterator[pl.DataFrame]:
    """The best tokens of some lists at a time, as `ranked` writes them; on a cluster several at once, in order.

    Raises:
        PipelineError: there is no cluster.
    """
    top = model.conf.inference.top
    if engine == "local":
        for ids, inputs in lists:
            yield ranked(ids, model.best.of(inputs, top), model.embedding)
        return
    with tasks.engine(engine, model.conf.file):
        shared = tasks.Shared(Carried.of(model.best))
        yield from tasks.each(_recommended, ((shared, ids, inputs, top) for ids, inputs in lists))


def _recommended(shared: tasks.Shared, ids: pl.Series, inputs: sparse.csr_matrix, top: int) -> pl.DataFrame:
    best = shared.value.best
    return ranked(ids, best.of(inputs, top), best.fitted.embedding)


def ranked(ids: pl.Series, best: Best, embedding: Embedding) -> pl.DataFrame:
    """The best tokens of examples as rows: example, rank (from 1), token, label, score."""
    n, k = best.tokens.shape
    is_there = (best.tokens >= 0).ravel()
    tokens = embedding.vocabulary.tokens[best.tokens.ravel()[is_there]]
    return pl.DataFrame(
        {
            "example": ids.gather(np.repeat(np.arange(n), k)[is_there]),
            "rank": pl.Series(np.tile(np.arange(1, k + 1), n)[is_there], dtype=pl.UInt32),
            "token": tokens["token"],
            "label": tokens["label"],
            "score": best.scores.ravel()[is_there],
        }
    )


def write_batches(batches: Iterator[pl.DataFrame], path: Path) -> int:
    """Write frames into one Parquet file, one after the other; returns the number of rows."""
    import pyarrow.parquet as pq

    writer, n = None, 0
    try:
        for batch in batches:
            table = batch.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            n += batch.height
    finally:
        if writer is not None:
            writer.close()
    return n


def _to_own(own: Embedding, vocabulary: Vocabulary) -> sparse.csr_matrix | None:
    """(V, V') turns rows over a vocabulary into rows over a model's own; None if it is the same."""
    if own.vocabulary.fingerprint == vocabulary.fingerprint:
        return None
    return translation(vocabulary, own.vocabulary)


def translation(vocabulary: Vocabulary, own: Vocabulary) -> sparse.csr_matrix:
    """(V, V') with a 1 where a token of one vocabulary is one of the other, or falls under its `<unknown>`."""
    place = own.encode(vocabulary.tokens["token"])
    known = np.flatnonzero(place >= 0)
    return sparse.csr_matrix((np.ones(len(known)), (known, place[known])), shape=(len(vocabulary), len(own)))


def own_scales(model: Model, examples: SparseExamples) -> Scales:
    """What weights count by in today's examples, and in those that a model learned from.

    Weights of another column have a unit of their own: what they count in their examples is taken as it is.
    """
    if model.conf.weight is None:
        return UNWEIGHTED, None
    if model.conf.weight != examples.about.get("weight"):
        return UNWEIGHTED, UNWEIGHTED
    return WeightScale.of(examples.about), WeightScale.of(model.facts)


def in_own(inputs: sparse.csr_matrix, to_own: sparse.csr_matrix | None, scales: Scales) -> sparse.csr_matrix:
    """Lists as a model has learned them, from lists of today.

    Several tokens that fall under `<unknown>` count once, as everywhere; where tokens have weights, these add up.

    Args:
        inputs: (N, V) lists over today's vocabulary.
        to_own: their `translation` to the vocabulary (V') of the model; None if it is the same.
        scales: today's scale of weights, and the model's.
    """
    today, own = scales
    if to_own is None and today == own:
        return inputs
    weights = today.weights(inputs.data)
    lists = sparse.csr_matrix((weights, inputs.indices, inputs.indptr), shape=inputs.shape)
    lists = lists if to_own is None else sparse.csr_matrix(lists @ to_own)
    lists.data = np.ones(lists.nnz) if own is None else own.counts(lists.data)
    return lists
