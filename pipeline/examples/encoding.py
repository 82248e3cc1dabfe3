"""Raw records and a vocabulary -> sparse examples: the table of pairs becomes a CSR matrix."""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.examples.recency import times_of
from pipeline.examples.sparse_examples import TEST, TRAIN, SparseExamples
from pipeline.examples.weight_scale import UNWEIGHTED, WeightScale
from pipeline.out_of_core.csr_builder import CsrBuilder
from pipeline.out_of_core.csr_keys import Bucket
from pipeline.out_of_core.growing import Growing
from pipeline.out_of_core.memory_mapped import blocks
from pipeline.out_of_core.side_by_side import side_by_side
from pipeline.records.pairs.builder import pair_table
from pipeline.records.pairs.pair_table import Block, PairTable
from pipeline.records.pairs.used_records import with_example
from pipeline.records.records import Records
from pipeline.records.splitting.assignment import Assignment, are_learned_from, assign, last_part
from pipeline.schemas import PARTS
from pipeline.vocabulary.counted import Counted
from pipeline.vocabulary.vocabulary import Vocabulary


def encode(
    records: pl.LazyFrame,
    vocabulary: Vocabulary,
    conf: Dataset,
    table: PairTable | None = None,
    parts: pl.DataFrame | None = None,
) -> SparseExamples:
    """Turn the raw records into sparse examples.

    Args:
        records: the raw records.
        vocabulary: the integer of each token.
        conf: the dataset.
        table: the pairs of these records, if they are known already.
        parts: the parts of examples that keep theirs; see `assign`.

    Raises:
        PipelineError: a token is unknown and conf refuses it, or what is to be predicted cannot be used.
    """
    table = pair_table(records, conf) if table is None else table
    assignment = assign(table, conf, parts)
    folds_in = conf.task.predicts_tokens and not assignment.by_token
    n_parts = len(PARTS) if assignment.by_token else 1
    size = len(assignment.examples), len(vocabulary)
    with CsrBuilder(*size, n_parts, len(table), has_weights=conf.weight is not None) as builder:
        n_unknown = _fill(builder, table, assignment, vocabulary, conf)
        random = np.random.default_rng(conf.seed)

        def finished(bucket: Bucket, drawn: Array) -> Bucket:
            return bucket._replace(parts=fold_in(bucket.indptr, conf.task.share_in, drawn)) if folds_in else bucket

        buckets = side_by_side(finished, ((bucket, random.random(len(bucket.indices))) for bucket in builder))
        matrix = whole(buckets)
    times = times_of(table, assignment, vocabulary.encode(table.tokens["token"]), len(vocabulary))
    counts = {"pairs": len(table), "unknown_tokens": n_unknown}
    return examples_of(matrix, times, records, vocabulary, conf, assignment, counts)


def whole(buckets: Iterable[Bucket]) -> Bucket:
    """All rows of the matrix, on disk."""
    arrays = [Growing(dtype) for dtype in (np.int64, np.int32, np.uint32, np.uint8, np.float64)]
    for found in buckets:
        for array, values in zip(arrays, found._replace(indptr=np.diff(found.indptr)), strict=True):
            if values is not None:
                array.append(values)
    lengths, *others = (array.array() for array in arrays)
    return Bucket(np.append(0, np.cumsum(lengths)), *others)


def encode_records(records: Records, counted: Counted, conf: Dataset) -> SparseExamples:
    """Turn the raw records into sparse examples, with the engine that conf names.

    Args:
        records: the raw records.
        counted: their vocabulary, and maybe their pairs.
        conf: the dataset.

    Raises:
        PipelineError: see `encode`; or there is no cluster.
    """
    if conf.engine == "ray":
        from pipeline.examples.divided_encoding import encode_on_cluster

        return encode_on_cluster(records, counted.vocabulary, conf, counted.parts)
    return encode(records.frame, counted.vocabulary, conf, counted.table_of(records, conf), counted.parts)


def examples_of(
    matrix: Bucket,
    times: Array,
    records: pl.LazyFrame,
    vocabulary: Vocabulary,
    conf: Dataset,
    assignment: Assignment,
    counts: Mapping[str, int],
) -> SparseExamples:
    """The sparse examples of a matrix of all rows.

    Args:
        matrix: with float64 weights, or an empty array of them.
        times: of its pairs; see `recency`.
        records: the raw records.
        vocabulary: that of the columns.
        conf: the dataset.
        assignment: the split of the rows.
        counts: `pairs` and `unknown_tokens`.
    """
    beside = conf.task.beside(with_example(records, conf), assignment.examples["example"], conf.file)
    scale = _scale(matrix, assignment, conf)
    return SparseExamples(
        indptr=matrix.indptr,
        indices=matrix.indices,
        counts=matrix.counts,
        parts=matrix.parts,
        weights=_counts(matrix, scale),
        dense=beside.dense,
        target=beside.target,
        frame=assignment.examples,
        times=times,
        about={
            "vocabulary": vocabulary.fingerprint,
            "size": len(vocabulary),
            "dense": list(beside.names),
            "classes": list(beside.classes),
            "by_token": assignment.by_token,
            "folds": conf.split.folds or 0,
            "divided": assignment.divided,
            "weight": conf.weight,
            **scale.facts(),
            "unknown": vocabulary.unknown,
            **counts,
        },
    )


def _scale(matrix: Bucket, assignment: Assignment, conf: Dataset) -> WeightScale:
    """What the weights count by; without weights each token counts 1."""
    if matrix.weights is None or not len(matrix.weights):
        return UNWEIGHTED
    learned = np.repeat(are_learned_from(assignment, conf), np.diff(matrix.indptr))
    if assignment.by_token:
        learned &= matrix.parts <= last_part(conf)
    return WeightScale.measured(matrix.weights, learned, conf.task.weighs_by_logarithm)


def _counts(matrix: Bucket, scale: WeightScale) -> Array:
    """What the weights (P,) count, as float32; an empty array without weights."""
    found = Growing(np.float32)
    if matrix.weights is not None:
        for block in blocks(matrix.weights):
            found.append(scale.counts(block))
    return found.array()


def _fill(builder: CsrBuilder, table: PairTable, assignment: Assignment, vocabulary: Vocabulary, conf: Dataset) -> int:
    """Put every pair whose token has a place into the builder, block by block; the number of the other pairs."""
    index = vocabulary.encode(table.tokens["token"])  # the integer of each token number, -1 for a token without a place

    def put(block: Block) -> None:
        part = block.part if assignment.by_token else np.zeros(len(block.part), np.uint8)
        builder.add(assignment.row[block.example], index[block.token], part, block.weight)

    def add(block: Block) -> int:
        known = index[block.token] >= 0
        if known.all():
            put(block)
            return 0
        if conf.vocabulary.unknown == "refuse":
            first = int(np.flatnonzero(~known)[0])
            token, example = table.tokens["token"][int(block.token[first])], table.ids[int(block.example[first])]
            raise refuse(conf, token, f" of example {example!r}")
        put(block.keep(known))
        return len(known) - int(known.sum())

    return sum(side_by_side(add, ((block,) for block in table.blocks())))


def refuse(conf: Dataset, token: str, where: str = "") -> PipelineError:
    """Why data with an unknown token is refused."""
    return PipelineError(
        f"{conf.file}, vocabulary.unknown: the token {token!r}{where} has no place in the vocabulary, and conf refuses "
        "such tokens. Say `drop` or `share`, or lower `min_count`."
    )


def fold_in(indptr: Array, share: float, random: Array) -> Array:
    """Parts (P,) for held-out examples: a random share of the tokens goes in (TRAIN), the others are labels (TEST).

    Args:
        indptr: (N + 1,) where each example's pairs begin.
        share: share of the tokens that goes in; at least one goes in, and of two or more at least one is predicted.
        random: (P,) random numbers between 0 and 1, which decide what goes in.
    """
    lengths = np.diff(indptr)
    example = np.repeat(np.arange(len(lengths)), lengths)
    drawn = example + random  # a block has few examples, so enough digits of the random number are left
    n_in = np.clip(np.rint(lengths * share), 1, np.maximum(lengths - 1, 1)).astype(np.int64)
    last = _nth_smallest(drawn, indptr, n_in)
    return np.where(drawn <= last[example], TRAIN, TEST).astype(np.uint8)


def _nth_smallest(values: Array, indptr: Array, n: Array) -> Array:
    """The n-th smallest (N,) of each of N lists, whose values stand one list after the other; of an empty list 0.

    Lists of similar lengths are sorted together, as the rows of a matrix: many short rows take a tenth of the time that
    all values take at once.
    """
    lengths = np.diff(indptr)
    found = np.zeros(len(lengths))
    widths = 2 ** np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    for width in np.unique(widths[lengths > 0]):
        lists = np.flatnonzero((widths == width) & (lengths > 0))
        column = np.arange(width)
        matrix = values[np.minimum(indptr[lists, None] + column, len(values) - 1)]
        matrix[column >= lengths[lists, None]] = np.inf
        matrix.sort(axis=1)
        found[lists] = matrix[np.arange(len(lists)), n[lists] - 1]
    return found
