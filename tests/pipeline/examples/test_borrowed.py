"""Where no example validates, some training examples do, before each method learns from all of them."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.examples.sparse_examples import FEWEST, TRAIN, VALIDATION, SparseExamples
from tests.conftest import encoded_from


def encoded(records: pl.DataFrame, conf: Dataset, **split: Any) -> tuple[Any, SparseExamples]:
    return encoded_from(records, conf.model_copy(update={"split": Split(**split)}))


def test_a_tenth_of_the_training_examples_validates_and_the_split_stays_what_it_was(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    _, examples = encoded(two_genres, movies, validation=0, test=0.25)
    assert len(examples.borrowed) == max(round(0.1 * 120), FEWEST) == 12
    assert sorted(examples.frame["split"].value_counts().rows()) == [("test", 40), ("train", 120)]
    assert examples.n_training == len(examples.training()) == 108
    validation = examples.held_out("validation")
    assert list(validation.ids) == examples.frame["example"][examples.borrowed].to_list()
    assert (validation.labels.lengths > 0).all()  # some tokens go in, and the others are predicted
    assert not set(validation.ids) & {*examples.training().ids, *examples.held_out("test").ids}
    assert len(examples.training(refit=examples.refits(asked=False))) == 120


def test_a_column_that_says_train_and_test_alone_has_some_too(two_genres: pl.DataFrame, movies: Dataset) -> None:
    records = two_genres.with_columns(
        part=pl.when(pl.col("user") < "u100").then(pl.lit("train")).otherwise(pl.lit("test"))
    )
    _, examples = encoded(records, movies, column="part")
    assert len(examples.borrowed) == 10
    assert (examples.split()[examples.borrowed] == VALIDATION).all()


def test_of_a_group_all_examples_validate_or_none(two_genres: pl.DataFrame, movies: Dataset) -> None:
    records = two_genres.with_columns(club=pl.col("user").str.slice(1).cast(pl.Int64) // 3)
    _, examples = encoded(records, movies, validation=0, test=0.2, group="club")
    assert examples.groups is not None
    of = examples.groups[examples.borrowed]
    assert len(np.unique(of)) == FEWEST
    assert not np.isin(examples.groups[examples.split() == TRAIN], of).any()


@pytest.mark.parametrize(
    ("split", "n"),
    [
        ({"validation": 0.1, "test": 0.2}, 160),
        ({"validation": 0, "test": 0}, 160),
        ({"folds": 4}, 160),
        ({"validation": 0, "test": 0.25}, 40),
    ],
)
def test_none_is_borrowed_where_some_validate_none_is_tested_or_few_are_there(
    split: dict[str, float], n: int, two_genres: pl.DataFrame, movies: Dataset
) -> None:
    _, examples = encoded(two_genres.filter(pl.col("user") < f"u{n:03d}"), movies, **split)
    assert not len(examples.borrowed)
    assert examples.refits(asked=True)
    assert not examples.refits(asked=False)
