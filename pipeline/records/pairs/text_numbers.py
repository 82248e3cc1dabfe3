"""Numbers texts in the order in which they come; pandas calls this factorize, Arrow dictionary encoding."""

import numpy as np
import polars as pl

from pipeline.arrays import Array

FIRST_BITS = 16
"""A hash table starts with 2 to the power of this many places, and grows with the texts."""
_EMPTY = np.uint32(2**32 - 1)


class TextNumbers:
    """Gives each different text a number, 0, 1, 2 and so on, over all batches that it sees.

    Texts are told apart by 64-bit hashes. The chance that two of n texts share a hash is about n^2 / 2^65: 3 in a
    hundred million for a million texts. Memory is bounded by the number of different texts, not of rows. The number of
    a text depends on the order in which the texts come, so no result may depend on it.

    >>> numbers = TextNumbers()
    >>> numbers.of(pl.Series(["b", "a", "b"])).tolist(), numbers.of(pl.Series(["c", "a"])).tolist()
    ([0, 1, 0], [2, 1])
    >>> numbers.texts().to_list()
    ['b', 'a', 'c']
    """

    def __init__(self) -> None:
        """Start without any text."""
        self._hashes = np.empty(0, np.uint64)
        self._texts: list[pl.Series] = []
        self._places = [_Places(FIRST_BITS, shift) for shift in (0, 32)]
        self._others, self._others_numbers = np.empty(0, np.uint64), np.empty(0, np.uint32)

    def __len__(self) -> int:
        return len(self._hashes)

    def of(self, texts: pl.Series) -> Array:
        """The numbers (n,) uint32 of n texts; no text may be null."""
        hashes = texts.hash().to_numpy()
        numbers = self._look_up(hashes)
        new = np.flatnonzero(numbers == _EMPTY)
        if len(new):
            different, first, which = np.unique(hashes[new], return_index=True, return_inverse=True)
            order = np.argsort(first)  # the order in which they come
            numbers[new] = len(self) + np.argsort(order)[which]
            self._add(different[order], texts.gather(new[first[order]]))
        return numbers

    def texts(self) -> pl.Series:
        """All texts, in the order of their numbers."""
        return pl.concat(self._texts) if self._texts else pl.Series([], dtype=pl.String)

    def _look_up(self, hashes: Array) -> Array:
        numbers = self._places[0].look_up(hashes)
        rest = np.flatnonzero(numbers == _EMPTY)
        if len(rest):
            numbers[rest] = self._places[1].look_up(hashes[rest])
        if len(self._others):
            rest = rest[numbers[rest] == _EMPTY]
            at = np.searchsorted(self._others, hashes[rest]).clip(max=len(self._others) - 1)
            numbers[rest] = np.where(self._others[at] == hashes[rest], self._others_numbers[at], _EMPTY)
        return numbers

    def _add(self, hashes: Array, texts: pl.Series) -> None:
        start = len(self)
        self._hashes = np.append(self._hashes, hashes)
        self._texts.append(texts)
        if 2 * len(self) > len(self._places[0].keys):
            bits = max(FIRST_BITS, (4 * len(self)).bit_length())
            self._places = [_Places(bits, shift) for shift in (0, 32)]
            self._others, self._others_numbers = np.empty(0, np.uint64), np.empty(0, np.uint32)
            hashes, start = self._hashes, 0
        numbers = np.arange(start, start + len(hashes), dtype=np.uint32)
        for places in self._places:
            placed = places.put(hashes, numbers)
            hashes, numbers = hashes[~placed], numbers[~placed]
        others, others_numbers = np.append(self._others, hashes), np.append(self._others_numbers, numbers)
        order = np.argsort(others)
        self._others, self._others_numbers = others[order], others_numbers[order]


def numbers_or_nulls(numbers: TextNumbers, texts: pl.Series) -> pl.Series:
    """The number of each text; null for a null."""
    if not texts.null_count():
        return pl.Series(texts.name, numbers.of(texts), dtype=pl.UInt32)
    found = pl.repeat(None, len(texts), dtype=pl.UInt32, eager=True).alias(texts.name)
    return found.scatter(texts.is_not_null().arg_true(), pl.Series(numbers.of(texts.drop_nulls()), dtype=pl.UInt32))


class _Places:
    """A hash table without chains: some bits of a hash give its only place; it gets none if that is taken."""

    def __init__(self, bits: int, shift: int) -> None:
        self.mask, self.shift = np.uint64(2**bits - 1), np.uint64(shift)
        self.keys, self.numbers = np.zeros(2**bits, np.uint64), np.full(2**bits, _EMPTY, np.uint32)

    def look_up(self, hashes: Array) -> Array:
        """The number of each hash; _EMPTY for one that is not here."""
        place = self._place(hashes)
        return np.where(self.keys[place] == hashes, self.numbers[place], _EMPTY)

    def put(self, hashes: Array, numbers: Array) -> Array:
        """Put different hashes into free places; whether each hash found one."""
        place = self._place(hashes)
        free = self.numbers[place] == _EMPTY
        self.keys[place[free]], self.numbers[place[free]] = hashes[free], numbers[free]
        return np.asarray(free & (self.keys[place] == hashes))  # where several hashes want one place, the last gets it

    def _place(self, hashes: Array) -> Array:
        return ((hashes >> self.shift) & self.mask).astype(np.int64)
