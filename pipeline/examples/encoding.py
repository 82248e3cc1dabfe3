"""Raw records and a vocabulary -> sparse examples: pairs become a CSR matrix."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.examples.csr_builder import CsrBuilder
from pipeline.examples.memory_mapped import Growing
from pipeline.examples.sparse_examples import TEST, TRAIN, SparseExamples
from pipeline.records.distinct import look_up
from pipeline.records.pairs import pairs, with_example
from pipeline.records.splitting import Assignment, assign
from pipeline.schemas import PARTS
from pipeline.vocabulary.vocabulary import UNKNOWN, Vocabulary

Array = npt.NDArray[Any]
_BATCH = 1_000_000
"""Pairs that are in memory at once while they are encoded."""


def encode(records: pl.LazyFrame, vocabulary: Vocabulary, conf: Dataset) -> SparseExamples:
    """Turn the raw records into sparse examples.

    Raises:
        PipelineError: a token is unknown and conf refuses it, or a number of the records is not one.
    """
    assignment = assign(records, conf)
    folds_in = conf.task.predicts_tokens and not assignment.by_token
    with CsrBuilder(len(assignment.examples)) as builder:
        n_unknown = _fill(builder, records, assignment, vocabulary, conf)
        random = np.random.default_rng(conf.seed)
        arrays = [Growing(dtype) for dtype in (np.int64, np.int32, np.uint32, np.uint8)]
        for indptr, indices, counts, parts in builder:
            parts = _fold_in(indptr, conf.task.share_in, random) if folds_in else parts
            for array, values in zip(arrays, (np.diff(indptr), indices, counts, parts), strict=True):
                array.append(values)
        lengths, indices, counts, parts = (array.array() for array in arrays)
    used = with_example(records, conf)
    n_records, n_used = pl.collect_all([records.select(pl.len()), used.select(pl.len())])
    beside = conf.task.beside(used, assignment.examples["example"], conf.file)
    return SparseExamples(
        indptr=np.append(0, np.cumsum(lengths)),
        indices=indices,
        counts=counts,
        parts=parts,
        dense=beside.dense,
        target=beside.target,
        frame=assignment.examples,
        about={
            "vocabulary": vocabulary.fingerprint,
            "size": len(vocabulary),
            "dense": list(beside.names),
            "classes": list(beside.classes),
            "by_token": assignment.by_token,
            "folds": conf.split.folds or 0,
            "left_out": {"unknown_tokens": n_unknown, "records": n_records.item() - n_used.item()},
        },
    )


def _fill(
    builder: CsrBuilder, records: pl.LazyFrame, assignment: Assignment, vocabulary: Vocabulary, conf: Dataset
) -> int:
    """Put every pair with a place in the vocabulary into the builder, batch by batch; how many have none."""
    part = pl.lit(TRAIN, pl.UInt8)
    if assignment.by_token:
        part = pl.col("part").replace_strict({name: i for i, name in enumerate(PARTS)}, return_dtype=pl.UInt8)
    unknown = pl.col("index").is_null()
    found = look_up(pairs(records, conf), "token", vocabulary.tokens["token"], "index")
    if conf.vocabulary.unknown == "share":
        found = found.with_columns(pl.col("index").fill_null(vocabulary.index(UNKNOWN)))
    elif conf.vocabulary.unknown == "refuse":
        first = found.filter(unknown).select("example", "token").head(1).collect()
        if first.height:
            example, token = first.row(0)
            raise PipelineError(
                f"{conf.file}, vocabulary.unknown: the token {token!r} of example {example!r} has no place in the "
                "vocabulary, and conf refuses such tokens. Say `drop` or `share`, or lower `min_count`."
            )
    n_unknown = 0
    entries = look_up(found, "example", assignment.examples["example"], "row", "inner").select(
        "row", "index", part=part
    )
    for batch in entries.collect_batches(chunk_size=_BATCH, maintain_order=False):
        known = batch.drop_nulls("index")
        n_unknown += batch.height - known.height
        builder.add(*(known[name].to_numpy() for name in ("row", "index", "part")))
    return n_unknown


def _fold_in(indptr: Array, share: float, random: np.random.Generator) -> Array:
    """Parts (P,): of each example, when it is held out, a random share goes in (TRAIN), the rest is predicted (TEST).

    Args:
        indptr: (N + 1,) where each example's pairs begin.
        share: of the tokens that goes in; at least one does, and at least one of two or more is predicted.
        random: of the choice.
    """
    lengths = np.diff(indptr)
    example = np.repeat(np.arange(len(lengths)), lengths)
    order = np.argsort(example + random.random(len(example)))  # a block has few examples: enough digits are left
    place = np.empty(len(example), np.int64)
    place[order] = np.arange(len(example)) - indptr[example]
    n_in = np.clip(np.rint(lengths * share), 1, np.maximum(lengths - 1, 1))
    return np.where(place < n_in[example], TRAIN, TEST).astype(np.uint8)
