"""Columns and dtypes of every frame that leaves a module, written once."""

import dataframely as dy
import polars as pl

PARTS = ("train", "validation", "test")
"""When a token may be seen, in this order: train tokens always, test tokens last."""
PartType = pl.Enum(PARTS)


class Pairs(dy.Schema):
    """One row a token of an example, as the raw records have it (a token can stand there more than once)."""

    example = dy.String(description="id of the example")
    token = dy.String(description="the token")
    label = dy.String(description="what people read for the token")
    part = dy.String(nullable=True, description="train, validation or test, where a column of the records says so")


class Examples(dy.Schema):
    """One row an example."""

    example = dy.String(primary_key=True, description="id of the example")
    split = dy.Enum(PARTS, nullable=True, description="whether it trains, validates or is held out; null with folds")
    fold = dy.UInt8(nullable=True, description="where examples are cross-fitted: the fold in which it is held out")


class Tokens(dy.Schema):
    """The vocabulary: one row a token, the row's number is the token's integer."""

    token = dy.String(primary_key=True, description="the token, as in the raw records")
    label = dy.String(description="what people read for it")
    count = dy.UInt32(description="how often it occurs in the training examples")


class EmbeddingRows(dy.Schema):
    """`embedding.parquet`: one row a token, in the order of the vocabulary."""

    token = dy.String(primary_key=True, description="the token, as in the raw records")
    label = dy.String(description="what people read for it")
    count = dy.UInt32(description="how often it occurs in the training examples")
    vector = dy.List(dy.Float32(), description="its place: D coordinates (in the file a list of fixed size)")


class RankingScores(dy.Schema):
    """How well the missing tokens of one held-out example were found."""

    example = dy.String(primary_key=True, description="id of the example")
    held_out = dy.UInt32(min=1, description="its held-out tokens")
    recall_at_20 = dy.Float64(min=0, max=1, description="held-out tokens in the top 20 / held-out tokens")
    recall_at_50 = dy.Float64(min=0, max=1, description="held-out tokens in the top 50 / held-out tokens")
    ndcg_at_20 = dy.Float64(min=0, max=1, description="discounted gain of the top 20 / the best possible")
    ndcg_at_100 = dy.Float64(min=0, max=1, description="discounted gain of the top 100 / the best possible")


class RegressionScores(dy.Schema):
    """What was predicted for one held-out example, in the target's unit."""

    example = dy.String(primary_key=True, description="id of the example")
    target = dy.Float64(description="the true number")
    predicted = dy.Float64(description="the predicted number")
