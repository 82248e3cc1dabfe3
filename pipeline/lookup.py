"""Text -> its place in a list, for columns of many rows: the join that turns tokens and examples into integers."""

from typing import Literal

import polars as pl

_HASH = "_hash"


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
    places = pl.LazyFrame({column: known}).with_row_index(name)
    hashes = known.hash()
    if hashes.n_unique() < len(known):
        return frame.join(places, on=column, how=how)
    hashed = places.select(name, pl.col(column).hash().alias(_HASH))
    return frame.with_columns(pl.col(column).hash().alias(_HASH)).join(hashed, on=_HASH, how=how).drop(_HASH)
