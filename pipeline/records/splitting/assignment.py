"""Which examples train, which validate, and which are held out.

No leakage: an example has one split or one fold, fixed before anything is counted or learned: by the seed and its id,
by a column, or by time. A token that is predicted never goes in. If a column holds the ids, the order of the raw
records plays no part.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import dataframely as dy
import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.out_of_core.side_by_side import side_by_side
from pipeline.records.pairs.pair_table import NO_RECORD, Block, PairTable
from pipeline.records.pairs.used_records import known_by
from pipeline.records.splitting.grouped_split import folds_of_groups, parts_of_groups, require_one_group, said_of_groups
from pipeline.schemas import PARTS, Examples, PartType


@dataclass(frozen=True)
class Assignment:
    """Every example with its split or its fold."""

    examples: dy.DataFrame[Examples]  # N rows: in the records' order if each row is an example, else sorted by id
    row: Array
    """(E,) the row in `examples` of each example number of the pair table; -1 for a number without a record."""
    by_token: bool = False
    """Whether a column or time splits the tokens within the examples; one trains if some of its tokens do."""
    divided: str | None = None
    """How time or groups divide the parts, as a sentence."""

    @property
    def n_training(self) -> int:
        """Number of training examples; with folds, the fewest that a fold leaves."""
        fold = self.examples["fold"].drop_nulls()
        if not len(fold):
            return int((self.examples["split"] == "train").sum())
        sizes = np.bincount(fold.to_numpy())
        return len(fold) - int((sizes + np.roll(sizes, -1)).max())


def assign(table: PairTable, conf: Dataset, before: pl.DataFrame | None = None) -> Assignment:
    """Split the examples as conf says.

    Args:
        table: the pairs of all examples.
        conf: the dataset.
        before: the part of examples that were split earlier, in the columns example, split and group. Where shares of
            the examples are drawn, these keep their part, and so do their groups; the new ones are drawn so that all
            together meet the shares.

    Raises:
        PipelineError: there are too few examples, or the split column says something else than the three parts, never
            says train, or varies within an example although the task predicts no tokens.
    """
    numbers = np.flatnonzero(table.first != NO_RECORD)
    if conf.example is not None:
        numbers = numbers[table.ids.gather(numbers).arg_sort().to_numpy()]
    row = np.full(len(table.first), -1, np.int64)
    row[numbers] = np.arange(len(numbers))
    ids = table.ids.gather(numbers)
    known = None if conf.example is not None else known_by(table.said[numbers])
    groups = require_one_group(table, numbers, conf) if conf.split.group is not None else None
    if conf.split.column is not None:
        _require_parts(table, table.first[numbers], table.last[numbers], conf)
    if conf.split.column is not None or conf.split.by_time:
        first, last = table.first[numbers], table.last[numbers]
        return Assignment(_frame(ids, known, pl.Series(first)), row, bool((first != last).any()), table.divided)
    if conf.split.folds is not None:
        fold = _folds(len(ids), conf.split.folds, conf) if groups is None else folds_of_groups(groups, conf)
        sentence = None if groups is None else said_of_groups(groups, None, conf)
        return Assignment(_frame(ids, known, fold=pl.Series(fold), groups=groups), row, divided=sentence)
    wanted = _wanted(len(ids), conf)
    had = np.full(len(ids), -1) if before is None else _known_parts(ids if known is None else known, before)
    if groups is None:
        split, sentence = _parts_of_examples(had, wanted, before is None, conf), None
    else:
        split = parts_of_groups(groups, wanted, _known_groups(groups, had, before), conf)
        sentence = said_of_groups(groups, split, conf)
    return Assignment(_frame(ids, known, pl.Series(split), groups=groups), row, divided=sentence)


def _parts_of_examples(had: Array, wanted: tuple[int, int], is_first: bool, conf: Dataset) -> Array:
    """(N,) the part of each example, an index into schemas.PARTS.

    Args:
        had: (N,) the part that an example had before, and keeps; -1: it is new.
        wanted: the numbers of examples to validate and to test.
        is_first: whether no example was split before; otherwise at most half of the new ones go to a part.
        conf: the dataset.
    """
    new = np.flatnonzero(had < 0)
    lacking = np.array(wanted) - [(had == part).sum() for part in (1, 2)]
    n_validation, n_test = np.clip(lacking, 0, None if is_first else len(new) // 2)
    drawn = np.repeat(np.arange(3), (len(new) - n_validation - n_test, n_validation, n_test))
    np.random.default_rng(conf.seed).shuffle(drawn)
    parts = had.copy()
    parts[new] = drawn
    return parts


def _wanted(n: int, conf: Dataset) -> tuple[int, int]:
    """How many of n examples validate, and how many are tested.

    Raises:
        PipelineError: fewer than 2 are left to train on.
    """
    validation, test = (max(1, round(n * share)) if share else 0 for share in (conf.split.validation, conf.split.test))
    n_train = n - validation - test
    if n_train < 2:
        few = "a single example is" if n == 1 else f"{n} examples are"
        raise PipelineError(
            f"{conf.file}: {few} too few: {validation} to validate and {test} to hold out leave {max(n_train, 0)} "
            "to train on, and at least 2 are needed. Does `example` name the right column? Otherwise bring more data, "
            "or lower `split.validation` and `split.test`."
        )
    return validation, test


def _known_parts(ids: pl.Series, before: pl.DataFrame) -> Array:
    """(N,) the part of each example, an index into schemas.PARTS; -1 for an example that is new."""
    codes = before.select("example", code=pl.col("split").cast(PartType).to_physical().cast(pl.Int64))
    joined = pl.DataFrame({"example": ids}).join(codes, on="example", how="left", maintain_order="left")
    return joined["code"].fill_null(-1).to_numpy().copy()


def _known_groups(groups: Array, split: Array, before: pl.DataFrame | None) -> Array:
    """(N,) the part of each example: its own or its group's, which may have had other examples; -1: both are new."""
    if before is None or "group" not in before.columns:
        return split
    of_group = before.drop_nulls("group").unique("group", keep="first", maintain_order=True)
    ids = of_group.select(example="group", split="split")
    of_groups = _known_parts(pl.Series(groups), ids)
    return np.where(of_groups < 0, split, of_groups)


def _folds(n: int, k: int, conf: Dataset) -> Array:
    """The fold of each of n examples, k folds of about the same size."""
    if n < k + 1:
        raise PipelineError(
            f"{conf.file}, split.folds: {n} examples are too few for {k} folds. Bring more data, or lower "
            "`split.folds`."
        )
    fold = np.arange(n) % k
    np.random.default_rng(conf.seed).shuffle(fold)
    return fold


def _require_parts(table: PairTable, first: Array, last: Array, conf: Dataset) -> None:
    """Refuse a split column that says something else than the three parts, or varies where it may not."""
    if table.odd_part is not None or not (first == 0).any():
        raise PipelineError(
            f"{conf.file}, split.column: {conf.split.column!r} must say train, validation or test in every row, "
            + (f"but it says {table.odd_part!r}." if table.odd_part is not None else "but no row says train.")
        )
    if (first != last).any() and not conf.task.predicts_tokens:
        raise PipelineError(
            f"{conf.file}, split.column: {conf.split.column!r} varies within an example, but an answer belongs to a "
            "whole one. Give all rows of an example the same part."
        )


def _frame(
    ids: pl.Series,
    known: pl.Series | None,
    codes: pl.Series | None = None,
    fold: pl.Series | None = None,
    groups: Array | None = None,
) -> dy.DataFrame[Examples]:
    names = None if codes is None else codes.replace_strict(range(len(PARTS)), PARTS, return_dtype=PartType)
    frame = pl.DataFrame({"example": ids}).with_columns(
        split=pl.lit(None, PartType) if names is None else names,
        fold=pl.lit(None, pl.UInt8) if fold is None else fold.cast(pl.UInt8),
        group=pl.lit(None, pl.UInt64) if groups is None else pl.Series(groups),
        known_by=pl.lit(None, pl.String) if known is None else known,
    )
    return Examples.validate(frame)


def learned_from(table: PairTable, assignment: Assignment, conf: Dataset) -> Iterator[Block]:
    """The pairs that the vocabulary is counted from, block by block: those that at least one fit learns from.

    These are the tokens of training, with `refit` also those of validation, and with folds all of them: every example
    trains in some fold, and the fit that is kept learns from all. Each fit still counts and learns from its own rows
    only.
    """
    last = last_part(conf)
    learns = np.append(are_learned_from(assignment, conf), False)[assignment.row]  # (E,); row -1 picks the last, False
    learns_all = bool(learns.all())

    def learned(block: Block) -> Block:
        if assignment.by_token:
            return block.keep(block.part <= last)
        return block if learns_all else block.keep(learns[block.example])

    yield from side_by_side(learned, ((block,) for block in table.blocks()))


def are_learned_from(assignment: Assignment, conf: Dataset) -> Array:
    """(N,) whether at least one fit learns from each example, or from some of its tokens."""
    split = assignment.examples["split"].to_physical().fill_null(0).to_numpy()  # with folds, all are learned from
    return np.asarray(split <= last_part(conf))


def last_part(conf: Dataset) -> int:
    """The last part that is learned from, as an index into schemas.PARTS."""
    return PARTS.index("validation" if conf.refit else "train")
