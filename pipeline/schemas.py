"""Columns and dtypes of every frame that leaves a module, defined once."""

import dataframely as dy
import polars as pl

PARTS = ("train", "validation", "test")
"""The parts, in the order in which their tokens may be seen: train tokens always, test tokens last."""
SAYS_PART = dict(zip(PARTS, PARTS, strict=True)) | {
    "training": "train",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "testing": "test",
}
"""The part that each value of a split column says, in small letters."""
PartType = pl.Enum(PARTS)


class Examples(dy.Schema):
    """One row for each example."""

    example = dy.String(primary_key=True, description="id of the example")
    split = dy.Enum(PARTS, nullable=True, description="its part, or the earliest part of its tokens; null with folds")
    fold = dy.UInt8(nullable=True, description="where examples are cross-fitted: the fold in which it is held out")
    group = dy.UInt64(nullable=True, description="a fingerprint of its group, where conf names a column of groups")
    known_by = dy.String(nullable=True, description="where a row is an example and has no id: what tells it tomorrow")


class Tokens(dy.Schema):
    """The vocabulary: one row for each token; the row's number is the token's integer."""

    token = dy.String(primary_key=True, description="the token, as in the raw records")
    label = dy.String(description="what people read for it")
    count = dy.UInt32(description="how often it occurs in the training examples")


class EmbeddingRows(dy.Schema):
    """`embedding.parquet`: one row for each token, in the order of the vocabulary."""

    token = dy.String(primary_key=True, description="the token, as in the raw records")
    label = dy.String(description="what people read for it")
    count = dy.UInt32(description="how often it occurs in the training examples")
    vector = dy.List(dy.Float32(), description="its D coordinates (in the file a list of fixed size)")
    stability = dy.Float32(nullable=True, description="share of its nearest that two halves of the examples agree on")
    nearest = dy.List(dy.Int32(), nullable=True, description="integers of its 10 nearest tokens, nearest first")
    support = dy.List(dy.UInt8(), nullable=True, description="in how many replicas each of them is among the nearest")
    drift = dy.Float32(nullable=True, description="how far it moved since the fit before / mean length; null if new")
