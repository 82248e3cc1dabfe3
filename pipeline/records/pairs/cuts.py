"""The two moments that divide records: those until the first train, those until the second validate, later ones test.

They are exact in bounded memory, and the same in whichever order times come: a moment is found digit by digit, from
counts. Where times come from does not belong here.

Letters: P pairs, E example numbers.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError

Histogram = Callable[[int, int], Array]
"""Counts times by a digit of their keys, among those with given higher digits; see `histogram`."""
_DIGIT = 16
"""Bits of a digit; a key has 64."""
_SIGN = np.uint64(1 << 63)


class Cuts(NamedTuple):
    """Two moments; infinite where nothing comes after."""

    train: Array  # () for all, or (E,) for each example: what came until then trains
    validation: Array  # what came after that, until then, validates; what came later is tested

    def parts(self, times: Array, examples: Array | None = None) -> Array:
        """(n,) uint8 the part, an index into schemas.PARTS, of each of n times.

        Args:
            times: (n,).
            examples: (n,) the example of each, where each example has its own moments.
        """
        train, validation = (cut if examples is None else cut[examples] for cut in self)
        return (times > train).astype(np.uint8) + (times > validation)


class RankedTime(NamedTuple):
    """A time by its rank."""

    time: float
    before: int
    """How many times are earlier."""
    until: int
    """How many times are earlier or the same."""


def histogram(times: Array, above: int, shift: int) -> Array:
    """(65536,) how many times have each digit.

    Args:
        times: (n,) float64.
        above: the higher digits of the times that are counted, as one number.
        shift: the number of bits below the digit.
    """
    bits = (times + 0.0).view(np.int64)  # -0.0 becomes 0.0
    keys = bits.view(np.uint64) ^ ((bits >> 63).view(np.uint64) | _SIGN)  # in the order of the times
    digits = keys >> np.uint64(shift)
    if shift + _DIGIT < 64:
        digits = digits[digits >> np.uint64(_DIGIT) == above] & np.uint64((1 << _DIGIT) - 1)
    return np.bincount(digits.view(np.int64), minlength=1 << _DIGIT)


def at_rank(rank: int, count: Histogram) -> RankedTime:
    """The time that comes after `rank` others when all are sorted."""
    key, inside = 0, rank
    for shift in range(64 - _DIGIT, -1, -_DIGIT):
        ends = np.cumsum(count(key, shift))
        digit = int(np.searchsorted(ends, inside, "right"))
        before = int(ends[digit - 1]) if digit else 0
        inside, same = inside - before, int(ends[digit]) - before
        key = key << _DIGIT | digit
    bits = np.uint64(key) ^ (_SIGN if key >> 63 else ~np.uint64(0))
    return RankedTime(float(bits.view(np.float64)), rank - inside, rank - inside + same)


def cut(n: int, count: Histogram, conf: Dataset) -> Cuts:
    """The moments that divide n times into the shares that conf asks for, as nearly as equal times allow.

    At least one time is in each part.

    Raises:
        PipelineError: there are too few different times.
    """
    count = cache(count)
    found, left, share = {"validation": np.inf, "test": np.inf}, n, 0.0
    for part, of_part in (("test", conf.split.test), ("validation", conf.split.validation)):
        share += of_part
        if of_part:
            rank = min(n - round(n * share), at_rank(left - 1, count).before if left else 0)
            if rank < 1:
                raise PipelineError(
                    f"{conf.file}, split.time: {conf.split.time!r} has too few different times for what trains, "
                    "validates and is tested. Name a column that tells more of them apart, or say `validation: 0`."
                )
            found[part], _, left = at_rank(rank - 1, count)
    last_of_all, after = found["test"], found["validation"]
    return Cuts(np.array(min(after, last_of_all)), np.array(last_of_all))


def last_times(indptr: Array, times: Array) -> Cuts:
    """The moments of each example: its last time is tested, and the one before validates.

    An example with fewer than three different times trains as a whole.

    Args:
        indptr: (E + 1,) where the times of each example begin.
        times: one after the other.
    """
    example = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((times, example))
    example, times = example[order], times[order]
    new = np.append(True, (np.diff(times) > 0) | (np.diff(example) > 0))[: len(times)]
    times, lengths = times[new], np.bincount(example[new], minlength=len(indptr) - 1)
    ends, able = np.cumsum(lengths), lengths >= 3
    cuts = Cuts(np.full(len(lengths), np.inf), np.full(len(lengths), np.inf))
    for moments, back in zip(cuts, (3, 2), strict=True):
        moments[able] = times[ends[able] - back]
    return cuts
