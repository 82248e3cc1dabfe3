"""Columns of many texts: which different ones there are, and the place of each in a list.

Both go by 64-bit hashes instead of by the texts, and in batches: memory is bounded by the different texts and a batch,
not by the rows.
"""

from collections.abc import Sequence
from typing import Literal

import polars as pl

BATCH = 2_000_000
"""Rows that are in memory at once."""
_HASH, _LOW, _HIGH = "_hash", "_low", "_high"


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
    parts: list[pl.DataFrame] = []
    for batch in hashed.collect_batches(chunk_size=BATCH, maintain_order=False):
        parts.append(batch.group_by(_HASH).agg(*merged, count=pl.len()))
        if len(parts) > 1 and sum(part.height for part in parts[1:]) > max(BATCH, parts[0].height):
            parts = [_sum(parts, merged)]
    if not parts:
        return hashed.select(column, pl.lit(0, pl.UInt32).alias("count"), *smallest).head(0).collect()
    found = _sum(parts, merged)
    if (found[_LOW] != found[_HIGH]).any():
        found = frame.group_by(column).agg(*least, count=pl.len()).collect(engine="streaming")
    return found.select(column, pl.col("count").cast(pl.UInt32), *smallest)


def _sum(parts: Sequence[pl.DataFrame], merged: Sequence[pl.Expr]) -> pl.DataFrame:
    """What several batches found, as one."""
    return pl.concat(parts).group_by(_HASH).agg(*merged, pl.col("count").sum())


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
