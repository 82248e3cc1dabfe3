"""How a vocabulary differs from the one before it."""

from dataclasses import dataclass

import polars as pl

from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Drift:
    """How a vocabulary differs from the one before it."""

    added: int
    """Tokens that are new."""
    removed: int
    """Tokens that are gone."""
    distance: float
    """Total variation distance of the two distributions of tokens: 0 if the shares are the same, 1 if no token is in
    both. It equals the share of occurrences that would have to become another token."""


def drift(before: Vocabulary, now: Vocabulary) -> Drift:
    """What changed from one vocabulary to the next: TV = sum_t |p_t - q_t| / 2, p and q the tokens' shares.

    >>> drift(Vocabulary.of({"a": 3, "b": 1}), Vocabulary.of({"a": 2, "c": 2}))
    Drift(added=1, removed=1, distance=0.5)
    """
    share = pl.col("count") / pl.col("count").sum()
    both = before.tokens.select("token", before=share).join(
        now.tokens.select("token", now=share), on="token", how="full", coalesce=True
    )
    difference = (pl.col("now").fill_null(0) - pl.col("before").fill_null(0)).abs().sum() / 2
    added, removed, distance = both.select(
        pl.col("before").is_null().sum(), pl.col("now").is_null().sum(), difference.alias("distance")
    ).row(0)
    return Drift(added, removed, distance)
