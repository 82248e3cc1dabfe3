"""An earlier vocabulary goes on: its tokens keep their integers, and what is new comes behind them."""

import polars as pl


def extended(
    before: pl.DataFrame, now: pl.DataFrame, counted: pl.DataFrame, most: int | None, shared: str | None
) -> pl.DataFrame:
    """The tokens of the earlier vocabulary in its order, counted anew, and behind them those that are new.

    A token that no training example has any more stays, with a count of 0.

    Args:
        before: token, label and count of the earlier vocabulary.
        now: the same of a vocabulary of today's data alone, the most frequent first.
        counted: token, label and count of all tokens of today's data; what does not occur in training counts 0.
        most: how many tokens there may be; those of the earlier vocabulary stay even if they are more.
        shared: the token that stands for all that have no place, if there is one.
    """
    known = (
        before.select("token", was="label")
        .join(counted, on="token", how="left", maintain_order="left")
        .select("token", pl.coalesce("label", "was").alias("label"), pl.col("count").fill_null(0))
    )
    is_shared = pl.col("token") == shared if shared else pl.lit(False)
    new = now.filter(~pl.col("token").is_in(known["token"].implode()))
    room = new.height if most is None else max(most - known.height, 0)
    both = pl.concat([known, new.filter(~is_shared).head(room), new.filter(is_shared)], how="vertical_relaxed")
    if shared is None:
        return both
    rest = int(counted["count"].sum()) - int(both.filter(~is_shared)["count"].sum())
    return both.with_columns(count=pl.when(is_shared).then(rest).otherwise("count"))
