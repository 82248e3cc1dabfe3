from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.errors import PipelineError
from pipeline.records.pairs.builder import pair_table
from pipeline.records.splitting.assignment import assign, learned_from

BASE: dict[str, Any] = {
    "description": "d",
    "source": {"path": "unused.csv"},
    "example": "user",
    "tokens": [{"kind": "value", "columns": "movie"}],
    "task": {"kind": "missing_tokens"},
    "dimensions": [1],
}


def splits(records: pl.DataFrame, conf: Dataset) -> dict[str, str]:
    return dict(assign(pair_table(records.lazy(), conf), conf).examples.select("example", "split").iter_rows())


def counted(records: pl.DataFrame, conf: Dataset) -> list[str]:
    """The tokens from which the vocabulary is counted, each as often as it occurs there."""
    table = pair_table(records.lazy(), conf)
    blocks = learned_from(table, assign(table, conf), conf)
    return sorted(token for block in blocks for token in table.tokens["token"].gather(block.token))


def test_shares_are_of_the_examples_and_every_example_has_one_split(two_genres: pl.DataFrame, movies: Dataset) -> None:
    examples = assign(pair_table(two_genres.lazy(), movies), movies).examples
    assert dict(examples["split"].value_counts().iter_rows()) == {"train": 96, "validation": 32, "test": 32}
    assert examples["example"].to_list() == sorted(two_genres["user"].unique())


def test_the_order_of_the_records_plays_no_part_but_the_seed_does(two_genres: pl.DataFrame, movies: Dataset) -> None:
    shuffled = two_genres.sample(fraction=1, shuffle=True, seed=5)
    assert splits(shuffled, movies) == splits(two_genres, movies)
    assert splits(two_genres, movies.model_copy(update={"seed": 2})) != splits(two_genres, movies)


def test_only_training_examples_are_counted(two_genres: pl.DataFrame, movies: Dataset) -> None:
    trained = {example for example, split in splits(two_genres, movies).items() if split == "train"}
    expected = two_genres.filter(pl.col("user").is_in(trained))["movie"].to_list()
    assert counted(two_genres, movies) == sorted(expected)


def test_a_column_that_is_constant_per_example_splits_the_examples(write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("some", {**BASE, "split": "part"}))
    records = pl.DataFrame(
        {"user": ["a", "a", "b", "c"], "movie": [1, 2, 3, 4], "part": ["train", "train", "test", "validation"]}
    )
    assignment = assign(pair_table(records.lazy(), conf), conf)
    assert splits(records, conf) == {"a": "train", "b": "test", "c": "validation"}
    assert not assignment.by_token
    assert counted(records, conf) == ["1", "2"]


def test_a_column_that_varies_within_an_example_splits_its_tokens(write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("some", {**BASE, "split": "part"}))
    records = pl.DataFrame(
        {"user": ["a", "a", "b", "b"], "movie": [1, 2, 3, 4], "part": ["train", "test", "train", "validation"]}
    )
    assert assign(pair_table(records.lazy(), conf), conf).by_token
    assert splits(records, conf) == {"a": "train", "b": "train"}
    assert counted(records, conf) == ["1", "3"]


@pytest.mark.parametrize(
    "words", [["training", "valid", "testing"], ["Train", "val", "TEST"], ["train", "dev", "test"]]
)
def test_a_split_column_may_say_the_parts_as_people_write_them(
    write_conf: Callable[..., Path], words: list[str]
) -> None:
    conf = load(write_conf("some", {**BASE, "split": "part"}))
    records = pl.DataFrame({"user": ["a", "b", "c"], "movie": [1, 2, 3], "part": words})
    assert splits(records, conf) == {"a": "train", "b": "validation", "c": "test"}


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (["train", "later"], "must say train, validation or test in every row, but it says 'later'"),
        (["train", None], "but it says 'None'"),
        (["test", "test"], "but no row says train"),
    ],
)
def test_a_split_column_that_says_something_else_is_refused(
    write_conf: Callable[..., Path], parts: list[str | None], sentence: str
) -> None:
    conf = load(write_conf("some", {**BASE, "split": "part"}))
    records = pl.DataFrame({"user": ["a", "b"], "movie": [1, 2], "part": parts})
    with pytest.raises(PipelineError, match=sentence):
        assign(pair_table(records.lazy(), conf), conf)


def test_too_few_examples_are_refused(write_conf: Callable[..., Path]) -> None:
    records = pl.DataFrame({"user": ["a", "b"], "movie": [1, 2]})
    with pytest.raises(
        PipelineError, match="2 examples are too few: 1 to validate and 1 to hold out leave 0 to train on"
    ):
        splits(records, load(write_conf("some", BASE)))


def test_folds_are_of_equal_size_and_everything_is_counted(two_genres: pl.DataFrame, movies: Dataset) -> None:
    conf = movies.model_copy(update={"split": Split(folds=7)})
    assignment = assign(pair_table(two_genres.lazy(), conf), conf)
    assert sorted(assignment.examples["fold"].value_counts()["count"]) == [22] + [23] * 6
    assert assignment.examples["split"].null_count() == 160
    assert assignment.n_training == 160 - 2 * 23  # one fold is held out and one validates
    assert len(counted(two_genres, conf)) == two_genres.height


def test_fewer_examples_than_folds_are_refused(two_genres: pl.DataFrame, movies: Dataset) -> None:
    conf = movies.model_copy(update={"split": Split(folds=100)})
    with pytest.raises(PipelineError, match=r"split.folds: 80 examples are too few for 100 folds"):
        assign(pair_table(two_genres.filter(pl.col("user") < "u080").lazy(), conf), conf)


def test_a_refit_counts_the_tokens_of_validation_too(two_genres: pl.DataFrame, movies: Dataset) -> None:
    conf = movies.model_copy(update={"refit": True})
    trained = [example for example, split in splits(two_genres, conf).items() if split != "test"]
    assert counted(two_genres, conf) == sorted(two_genres.filter(pl.col("user").is_in(trained))["movie"])


def test_known_examples_keep_their_part_and_new_ones_meet_the_shares(two_genres: pl.DataFrame, movies: Dataset) -> None:
    before = assign(pair_table(two_genres.lazy(), movies), movies).examples
    some = two_genres.filter(pl.col("user") < "u040").with_columns(user="a" + pl.col("user"))
    table = pair_table(pl.concat([some, two_genres]).lazy(), movies)
    now = assign(table, movies, before).examples
    assert now.join(before, on=["example", "split"], how="semi").height == len(before)
    assert dict(now["split"].value_counts().iter_rows()) == {"train": 120, "validation": 40, "test": 40}
    again = assign(table, movies, now).examples
    assert again.equals(now)
