"""What describes the tokens in answers: the columns of the raw records that conf names in `about`."""

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.records.tokens.naming import written

OF_ANSWERS = ("token", "label", "count", "score", "because", "cosine", "stability", "support")
"""The columns that an answer about tokens has for itself: those of `Recommender.recommend` and of `Model.similar`."""


def described(records: pl.LazyFrame, conf: Dataset) -> pl.DataFrame:
    """What describes the tokens, as text: one row per token, with `token` and then each column that `about` names.

    If the rows of a token differ, the smallest text is taken; if no row has a value, null. A column with a name that an
    answer has for itself, such as `label` or `count`, becomes `label (of the source)`.
    """
    names = dict.fromkeys(column for tokens in conf.tokens for column in tokens.described_by())
    columns = {name: f"{name} (of the source)" if name in OF_ANSWERS else name for name in names}
    about = [pl.col(name).cast(pl.String).alias(told) for name, told in columns.items()]
    frames = [
        records.select(pl.col(column).cast(pl.String).alias("token"), *about)
        .filter(pl.col("token").is_not_null())
        .with_columns(token=written(tokens, column, conf, pl.col("token")))
        for tokens in conf.tokens
        if tokens.described_by()
        for column in tokens.columns
    ]
    if not frames:
        return pl.DataFrame(schema={"token": pl.String})
    return pl.concat(frames).group_by("token").agg(pl.col(list(columns.values())).min()).collect(engine="streaming")
