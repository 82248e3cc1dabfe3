"""Tells texts that stand in several rows: then what is tested would have been learned from."""

from collections.abc import Sequence

import polars as pl

from pipeline.config.section import as_tuple
from pipeline.proposal.look import Guess

_LETTERS = 30
"""Two people hardly write the same text of so many letters by chance; `Thank you.` they do."""
_FEW = 0.01


def repeated(frame: pl.DataFrame, tokens: Sequence[Guess], target: str | None) -> Guess | None:
    """The columns that make a record equal to another, if more than a few records have a text that an earlier one has.

    Args:
        frame: the first rows.
        tokens: the sections `tokens`.
        target: the column to predict: of equal texts with different answers all stay.
    """
    texts = [
        name
        for one in tokens
        if one.value["kind"] in ("words", "characters")
        for name in as_tuple(one.value["columns"])
    ]
    if not texts:
        return None
    columns = [*texts, *([target] if target is not None else [])]
    is_long = pl.col(texts[0]).str.len_chars() >= _LETTERS
    again = frame.select((~pl.struct(columns).is_first_distinct() & is_long).mean()).item()
    return Guess(columns, f"{again:.0%} of the rows have a text that an earlier one has") if again > _FEW else None
