"""Splits examples by groups: all examples of a group train, or all validate, or all are tested.

Letters: N examples, G groups.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError, number_of
from pipeline.records.pairs.pair_table import PairTable
from pipeline.schemas import PARTS


def require_one_group(table: PairTable, numbers: Array, conf: Dataset) -> Array:
    """(N,) uint64, the fingerprint of the group of each example.

    Args:
        table: the pairs of all examples.
        numbers: (N,) those of the examples that have a record.
        conf: the dataset.

    Raises:
        PipelineError: the records of an example name several groups.
    """
    low: Array
    low, high = np.asarray(table.groups[numbers]).T
    odd = np.flatnonzero(low != high)
    if len(odd):
        raise PipelineError(
            f"{conf.file}, split.group: {conf.split.group!r} varies within an example, such as "
            f"{table.ids[int(numbers[odd[0]])]!r}, but an example belongs to one group. Name another column, or let "
            "`example` name the groups."
        )
    return low


def parts_of_groups(groups: Array, wanted: Sequence[int], known: Array, conf: Dataset) -> Array:
    """(N,) the part of each example, an index into schemas.PARTS.

    Groups are taken in a seeded order. One is validated as long as that brings the part closer to its size; the others
    are tested as long as that does, and the rest trains. So a group that is larger than twice a part trains.

    Args:
        groups: (N,) that of each example.
        wanted: the numbers of examples to validate and to test.
        known: (N,) the part that an example had before, and its group keeps; -1: it had none.
        conf: the dataset.

    Raises:
        PipelineError: there are fewer groups than parts.
    """
    different, of_example, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    parts = np.full(len(different), -1)
    had = known >= 0
    parts[of_example[had]] = known[had]
    is_first, n_parts = not had.any(), 1 + sum(size > 0 for size in wanted)
    if is_first and len(different) < n_parts:
        raise PipelineError(
            f"{conf.file}, split.group: {number_of(len(different), 'group')} of {conf.split.group!r} are too few for "
            f"{n_parts} parts. Name another column, or leave `group` out."
        )
    able = int(sizes[sizes < 2 * max(wanted)].sum())
    if is_first and able < sum(wanted):  # all others are too large for any part but training
        wanted = [max(size * able // sum(wanted), min(size, 1)) for size in wanted]
    left = np.random.default_rng(conf.seed).permutation(np.flatnonzero(parts < 0)).tolist()
    for part, size in enumerate(wanted, 1):
        if not size:
            continue
        n_parts -= 1  # so many other parts need a group, too
        lacking = size - int(sizes[parts == part].sum())
        taken = _closest(left, sizes, lacking, len(left) - n_parts if is_first else len(left))
        if is_first and not taken:
            taken = {min(left, key=lambda group: int(sizes[group]))}
        parts[list(taken)] = part
        left = [group for group in left if group not in taken]
    parts[left] = 0
    return parts[of_example]


def _closest(groups: Sequence[int], sizes: Array, wanted: int, most: int) -> set[int]:
    """The groups, at most so many, that a part takes one by one, each if it brings the part closer to its size."""
    taken: set[int] = set()
    for group in groups:
        if len(taken) < most and sizes[group] < 2 * wanted:
            taken.add(group)
            wanted -= int(sizes[group])
    return taken


def folds_of_groups(groups: Array, conf: Dataset) -> Array:
    """(N,) the fold of each example: groups go, the largest first, to the fold that has the fewest examples.

    Raises:
        PipelineError: there are not more groups than folds.
    """
    k = conf.split.folds
    assert k is not None
    different, of_example, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(different) <= k:
        raise PipelineError(
            f"{conf.file}, split.group: {number_of(len(different), 'group')} of {conf.split.group!r} are too few for "
            f"{k} folds. Lower `split.folds`, name another column, or leave `group` out."
        )
    order = np.random.default_rng(conf.seed).permutation(len(different))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, held = np.zeros(len(different), np.int64), np.zeros(k, np.int64)
    for group in order:
        fold[group] = held.argmin()
        held[fold[group]] += sizes[group]
    return fold[of_example]


def said_of_groups(groups: Array, parts: Array | None, conf: Dataset) -> str:
    """How many groups there are, of each part if there are parts, as a sentence."""
    said = f"All examples with the same {conf.split.group} stay together"
    if parts is None:
        return f"{said}: {number_of(len(np.unique(groups)), 'group')} in {conf.split.folds} folds."
    counts = [len(np.unique(groups[parts == part])) for part in range(len(PARTS))]
    does = ("to train", "to validate", "to test")
    told = [f"{n:,} {what}" for n, what in zip(counts, does, strict=True) if n]
    return f"{said}: {number_of(sum(counts), 'group')}, {', '.join(told)}."
