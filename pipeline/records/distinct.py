"""Columns of many texts: the distinct ones, and the place of each in a list (dictionary encoding).

Both go by 64-bit hashes instead of by the texts, and in batches: memory is bounded by the different texts and a batch,
not by the rows.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

BATCH = 1_000_000
"""Rows that are in memory at once."""
NEW = 0.1
"""A batch with a smaller share of new texts ends the search: most are known by then."""
_HASH, _LOW, _HIGH, _PLACE = "_hash", "_low", "_high", "_place"


def distinct(frame: pl.LazyFrame, column: str, smallest: Sequence[str] = ()) -> pl.DataFrame:
    """The different texts of a column, in no order, with how often each occurs.

    (Polars' own streaming `group_by` holds on to rows where there are many groups: its memory grows with the rows.) A
    second hash tells where two texts share the first; then it groups by the texts.

    Args:
        frame: with the column, and no nulls in it.
        column: of texts.
        smallest: other columns, of which the smallest value of a text's rows is wanted.

    Returns:
        A row a text: the column, `count` (uint32), and the other columns.
    """
    least = [pl.col(name).min() for name in smallest]
    check = pl.col(column).hash(seed=1)
    hashed = frame.select(column, *smallest, pl.col(column).hash().alias(_HASH), check.alias(_LOW), check.alias(_HIGH))
    merged = [pl.col(column).first(), pl.col(_LOW).min(), pl.col(_HIGH).max(), *least]
    found = _Groups(merged)
    for batch in hashed.collect_batches(chunk_size=BATCH, maintain_order=False):
        if found.parts and not smallest and _are_known(batch, found.parts[0]):
            found = _counted(hashed, found.one(), merged)
            break
        found.add(batch)
    if not found.parts:
        return hashed.select(column, pl.lit(0, pl.UInt32).alias("count"), *smallest).head(0).collect()
    texts = found.one()
    if (texts[_LOW] != texts[_HIGH]).any():
        texts = frame.group_by(column).agg(*least, count=pl.len()).collect(engine="streaming")
    return texts.select(column, pl.col("count").cast(pl.UInt32), *smallest)


class _Groups:
    """Rows by the hash of their text, batch by batch; now and then what several batches found becomes one part."""

    def __init__(self, merged: Sequence[pl.Expr]) -> None:
        self.parts: list[pl.DataFrame] = []
        self._merged = merged

    def add(self, batch: pl.DataFrame) -> None:
        """Group a batch of rows."""
        self.parts.append(batch.group_by(_HASH).agg(*self._merged, count=pl.len()))
        if sum(part.height for part in self.parts[1:]) > max(BATCH, self.parts[0].height):
            self.one()

    def one(self) -> pl.DataFrame:
        """What all batches found."""
        if len(self.parts) > 1:
            self.parts = [pl.concat(self.parts).group_by(_HASH).agg(*self._merged, pl.col("count").sum())]
        return self.parts[0]


def _are_known(batch: pl.DataFrame, known: pl.DataFrame) -> bool:
    """Whether nearly all rows of a batch have a text that was found before."""
    return batch.join(known.select(_HASH), on=_HASH, how="anti").height < NEW * batch.height


def _counted(hashed: pl.LazyFrame, known: pl.DataFrame, merged: Sequence[pl.Expr]) -> _Groups:
    """The different texts where most are known: one join of all rows counts these, only the others are grouped."""
    found = _Groups(merged)
    counts = np.zeros(known.height, np.int64)
    low, high = (known[name].to_numpy().copy() for name in (_LOW, _HIGH))
    places = known.lazy().select(_HASH).with_row_index(_PLACE)
    joined = hashed.drop(_HIGH).join(places, on=_HASH, how="left")
    for batch in joined.collect_batches(chunk_size=BATCH, maintain_order=False):
        is_new = batch[_PLACE].is_null()
        if is_new.any():
            found.add(batch.filter(is_new).select(pl.all().exclude(_PLACE), pl.col(_LOW).alias(_HIGH)))
            batch = batch.filter(~is_new)
        place, check = batch[_PLACE].to_numpy(), batch[_LOW].to_numpy()
        counts += np.bincount(place, minlength=len(counts))
        odd = check != low[place]
        high[place[odd]] = check[odd]  # another check than the text's own: two texts share a hash
    found.parts.append(known.with_columns(pl.Series(_HIGH, high), pl.Series("count", counts, pl.UInt32)))
    return found


def look_up(
    frame: pl.LazyFrame, column: str, known: pl.Series, name: str, how: Literal["left", "inner"] = "left"
) -> pl.LazyFrame:
    """Add to each row the place of its text in a list of distinct texts.

    Joins by 64-bit hashes, which takes a third of the time of a join by text. The texts of the list are checked to
    have different ones, else it joins by text. A text that is not in the list meets the hash of one that is with a
    chance of len(known) / 2^64; among a million such texts and a list of a million that is 5 in a hundred million.

    Args:
        frame: with the column.
        column: of texts.
        known: distinct texts.
        name: of the new column, uint32.
        how: `left` keeps rows whose text is not in the list, with null; `inner` leaves them out.
    """
    hashes = known.hash()
    if hashes.n_unique() < len(known):
        return frame.join(pl.LazyFrame({column: known}).with_row_index(name), on=column, how=how)
    places = pl.LazyFrame({_HASH: hashes}).with_row_index(name)
    return frame.with_columns(pl.col(column).hash().alias(_HASH)).join(places, on=_HASH, how=how).drop(_HASH)
