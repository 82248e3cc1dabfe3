"""Who trains, who validates, who is held out.

No leakage: an example has one split or one fold, fixed by the seed and its id before anything is counted or learned,
and a token that is predicted never goes in. The order of the raw records plays no part.
"""

from dataclasses import dataclass

import dataframely as dy
import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.records.distinct import distinct, look_up
from pipeline.records.pairs import EXAMPLE, pairs, with_example
from pipeline.schemas import PARTS, Examples, PartType


@dataclass(frozen=True)
class Assignment:
    """Every example with its split."""

    examples: dy.DataFrame[Examples]  # N rows: in the records' order where each row is an example, else sorted by id
    by_token: bool = False
    """A column of the records splits the tokens within the examples: every example is then trained on."""

    @property
    def n_training(self) -> int:
        """How many examples are trained on; with folds, in the turn with the fewest."""
        fold = self.examples["fold"].drop_nulls()
        if not len(fold):
            return int((self.examples["split"] == "train").sum())
        sizes = np.bincount(fold.to_numpy())
        return len(fold) - int((sizes + np.roll(sizes, -1)).max())


def assign(records: pl.LazyFrame, conf: Dataset) -> Assignment:
    """Split the examples as conf says.

    Raises:
        PipelineError: there are too few examples, or the split column says something else than the three parts.
    """
    records = with_example(records, conf)
    if conf.split.column is not None:
        return _by_column(records, conf)
    named = records.select(example=EXAMPLE)
    if conf.example is None:
        ids = named.collect(engine="streaming").to_series()
    else:
        ids = distinct(named, "example")["example"].sort()
    if conf.split.folds is not None:
        return Assignment(_frame(ids, fold=_folds(len(ids), conf.split.folds, conf)))
    n = len(ids)
    n_validation, n_test = (
        max(1, round(n * share)) if share else 0 for share in (conf.split.validation, conf.split.test)
    )
    n_train = n - n_validation - n_test
    if n_train < 2:
        raise PipelineError(
            f"{conf.file}: {n} examples are too few: {n_validation} validate, {n_test} are held out, {n_train} train. "
            "Bring more data, or lower `split.validation` and `split.test`."
        )
    split = np.repeat(np.arange(3), (n_train, n_validation, n_test))
    np.random.default_rng(conf.seed).shuffle(split)
    return Assignment(_frame(ids, pl.Series(split)))


def _folds(n: int, k: int, conf: Dataset) -> pl.Series:
    """The fold of each of n examples, k folds of about the same size."""
    if n < k + 1:
        raise PipelineError(
            f"{conf.file}, split.folds: {n} examples are too few for {k} folds. Bring more data, or lower "
            "`split.folds`."
        )
    fold = np.arange(n) % k
    np.random.default_rng(conf.seed).shuffle(fold)
    return pl.Series(fold)


def _by_column(records: pl.LazyFrame, conf: Dataset) -> Assignment:
    column = conf.split.column
    assert column is not None
    part = pl.col(column).cast(pl.String)
    parts = records.select(part.unique()).collect(engine="streaming").to_series()
    odd = sorted(str(value) for value in parts if value not in PARTS)
    if odd or "train" not in parts:
        raise PipelineError(
            f"{conf.file}, split.column: {column!r} must say train, validation or test in every row, "
            + (f"but it says {odd[0]!r}." if odd else "but no row says train.")
        )
    code = part.replace_strict({name: i for i, name in enumerate(PARTS)}, return_dtype=pl.Int64)
    row = pl.int_range(pl.len()) if conf.example is None else pl.lit(0)
    of_example = (
        records.select(example=EXAMPLE, code=code, row=row)
        .group_by("example")
        .agg(first=pl.col("code").min(), last=pl.col("code").max(), row=pl.col("row").min())
        .sort("row", "example")
        .collect(engine="streaming")
    )
    by_token = bool((of_example["first"] != of_example["last"]).any())
    if by_token and not conf.task.predicts_tokens:
        raise PipelineError(
            f"{conf.file}, split.column: {column!r} varies within an example, but an answer belongs to a whole one. "
            "Give all rows of an example the same part."
        )
    split = of_example["first"] * 0 if by_token else of_example["first"]
    return Assignment(_frame(of_example["example"], split), by_token)


def _frame(ids: pl.Series, codes: pl.Series | None = None, fold: pl.Series | None = None) -> dy.DataFrame[Examples]:
    names = None if codes is None else codes.replace_strict(range(len(PARTS)), PARTS, return_dtype=PartType)
    frame = pl.DataFrame({"example": ids}).with_columns(
        split=pl.lit(None, PartType) if names is None else names,
        fold=pl.lit(None, pl.UInt8) if fold is None else fold.cast(pl.UInt8),
    )
    return Examples.validate(frame)


def require_room(conf: Dataset, n_training: int, n_tokens: int) -> None:
    """N centred rows over V tokens span fewer than min(N, V) dimensions, and not every baseline can take every V.

    Raises:
        PipelineError: a D of conf is larger than that, or the vocabulary too large for a baseline.
    """
    most = min(n_training, n_tokens) - 1
    largest = max(conf.dimensions or (0,))
    if largest > most:
        raise PipelineError(
            f"{conf.file}, dimensions: D={largest} is larger than the data allows: {n_training} training examples over "
            f"{n_tokens} tokens have room for {most} dimensions. Lower it to at most {most}."
        )
    for baseline in conf.baselines:
        baseline.require_room(most, n_tokens, conf.file)


def training_pairs(records: pl.LazyFrame, conf: Dataset, assignment: Assignment | None = None) -> pl.LazyFrame:
    """The (example, token) pairs from which the vocabulary is counted: those that some fit learns from, and no others.

    That is training; with `refit` validation too; with folds everything, as every example trains in some turn and all
    of them in the fit that is kept. A fit still counts and learns from nothing but its own rows.

    Args:
        records: the raw records.
        conf: the dataset.
        assignment: of these records, where it is known already.

    Raises:
        PipelineError: the examples cannot be split as conf says.
    """
    assignment = assignment or assign(records, conf)
    learned = PARTS[:2] if conf.refit else PARTS[:1]
    if assignment.by_token:
        return pairs(records, conf).filter(pl.col("part").is_in(learned))
    trained_on = assignment.examples.filter(pl.col("split").is_in(learned) | pl.col("fold").is_not_null())
    if trained_on.height == assignment.examples.height:
        return pairs(records, conf)
    return look_up(pairs(records, conf), "example", trained_on["example"], "_row", "inner").drop("_row")
