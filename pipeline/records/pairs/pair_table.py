"""The table of all pairs of an example and a token, as numbers, on disk.

How it is made from records does not belong here.

Letters: P pairs, E example numbers.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.out_of_core.memory_mapped import load, release, save

NO_RECORD = 255
"""The part of an example number without a record."""
_BLOCK = 500_000
"""Pairs that are in memory at once."""
_ARRAYS = ("example", "token", "part", "weight", "first", "last", "said", "groups", "time")


class Block(NamedTuple):
    """A block of pairs."""

    example: Array  # (b,) uint32, the number of the example
    token: Array  # (b,) uint32, the number of the token
    part: Array  # (b,) uint8, index into schemas.PARTS; 0 without a split column
    weight: Array | None  # (b,) float64; None where conf names no column of weights
    time: Array | None = None  # (b,) float64; None without times

    def keep(self, kept: Array) -> "Block":
        """The pairs that `kept` (b,) marks."""
        weight = None if self.weight is None else self.weight[kept]
        return Block(self.example[kept], self.token[kept], self.part[kept], weight)


@dataclass(frozen=True)
class PairTable:
    """All pairs of a dataset: a token that occurs twice in an example makes two pairs.

    Where conf splits by time, a table has times first, and parts only once the times are divided (see `time_split`).
    The times stay where they divide the tokens of examples.
    """

    example: Array  # (P,) uint32, on disk
    token: Array  # (P,) uint32, on disk
    part: Array  # (P,) uint8, on disk; empty without a split column and without times
    weight: Array  # (P,) float64, on disk; empty without a column of weights
    first: Array  # (E,) uint8, the earliest part of each example's records, NO_RECORD if it has none; or its first time
    last: Array  # (E,) uint8, the latest part of each example's records; or its last time
    ids: pl.Series  # (E,) the id of each example
    tokens: pl.DataFrame  # token and label, in the order of the tokens' numbers
    odd_part: str | None = None
    """A value of the split column that is no part, if there is one."""
    time: Array = field(default_factory=lambda: np.empty(0))  # (P,) float64, on disk; or empty
    divided: str | None = None
    """How time divides the parts, as a sentence."""
    said: Array = field(default_factory=lambda: np.empty(0, np.uint64))
    """(E,) uint64, a fingerprint of what each example says, where each row is one and has no id; else empty."""
    groups: Array = field(default_factory=lambda: np.empty((0, 2), np.uint64))
    """(E, 2) uint64, the lowest and the highest fingerprint of the groups that each example's records name; (0, 2)
    without a column of groups."""

    def __len__(self) -> int:
        return len(self.token)

    def blocks(self) -> Iterator[Block]:
        """All pairs, block by block."""
        for start in range(0, len(self), _BLOCK):
            some = slice(start, start + _BLOCK)
            example, token = np.asarray(self.example[some]), np.asarray(self.token[some])
            part = np.asarray(self.part[some]) if len(self.part) else np.zeros(len(token), np.uint8)
            weight, time = (np.asarray(one[some]) if len(one) else None for one in (self.weight, self.time))
            yield Block(example, token, part, weight, time)
            for array in (self.example, self.token, self.part, self.weight, self.time):
                release(array)

    def save(self, folder: Path) -> None:
        """Write one `.npy` file per array, `ids.parquet`, `tokens.parquet` and `about.json`."""
        for name in _ARRAYS:
            save(folder / f"{name}.npy", getattr(self, name))
        self.ids.to_frame("id").write_parquet(folder / "ids.parquet")
        self.tokens.write_parquet(folder / "tokens.parquet")
        (folder / "about.json").write_text(json.dumps({"odd_part": self.odd_part, "divided": self.divided}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the arrays stay on disk, memory-mapped."""
        arrays = {name: load(folder / f"{name}.npy") for name in _ARRAYS}
        ids = pl.read_parquet(folder / "ids.parquet")["id"]
        tokens = pl.read_parquet(folder / "tokens.parquet")
        return cls(**arrays, ids=ids, tokens=tokens, **json.loads((folder / "about.json").read_text()))
