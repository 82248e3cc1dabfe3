"""When a learned fit goes on from the last one, and when it begins anew."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.embedding import Embedding
from pipeline.examples.encoding import encode
from pipeline.experiment.last_version import PARTS_FILE, has_learned_from_held_out, kept_from_last, write_parts
from pipeline.experiment.refresh import Start
from pipeline.experiment.run import FinishedRun
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.counted import Kept
from pipeline.vocabulary.vocabulary import build_vocabulary
from tests.pipeline.experiment.shop import Shop

pytestmark = pytest.mark.slow(60)


def grown(records: pl.DataFrame, n: int) -> pl.DataFrame:
    """The records, and those of n new people with the tastes of others."""
    copied = records.filter(pl.col("user") < f"u{n:03d}").with_columns(user="v" + pl.col("user"))
    return pl.concat([records, copied])


def settings(conf: Dataset, **refresh: Any) -> Dataset:
    return conf.model_copy(update={"refresh": conf.refresh.model_copy(update=refresh)})


def test_small_changes_are_refreshed_until_there_were_enough(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    conf = settings(films, times=1)
    shop.contest(conf, two_genres, "embedding", "pca")
    full = shop.learned()
    with caplog.at_level(logging.INFO):
        shop.tomorrow(conf, grown(two_genres, 4), "embedding", "pca")
    refresh = shop.learned()
    assert refresh.tags["refreshed_from"] == refresh.tags["full_fit"] == full.run_id
    assert refresh.tags["fit_key"] != full.tags["fit_key"]
    assert refresh.metrics["drift"] > 0
    assert "known tokens have moved by" in caplog.text
    embedding = Embedding.load(shop.tracker.file(refresh.run_id, "embedding.parquet"))
    assert embedding.drift is not None
    assert np.nanmedian(embedding.drift) == pytest.approx(refresh.metrics["drift"], rel=1e-5)
    with caplog.at_level(logging.INFO):
        shop.tomorrow(conf, grown(two_genres, 8), "embedding", "pca")
    assert "begins anew: there were 1 refreshes since the last full fit" in caplog.text
    assert "refreshed_from" not in shop.learned().tags


@pytest.mark.parametrize(("power", "cut"), [(0.25, 0), (0.5, 1)])
def test_a_refresh_learns_in_the_way_that_was_chosen_for_the_full_fit(
    films: Dataset, two_genres: pl.DataFrame, power: float, cut: int
) -> None:
    vocabulary = build_vocabulary(pair_table(two_genres.lazy(), films), films)
    embedding = Embedding(vocabulary, np.zeros((len(vocabulary), 2), np.float32))
    chosen = {"temperature": 0.3, "weight_decay": 1.5, "cut": cut, "count_power": power}
    run = FinishedRun("full", "0", {}, {f"selected.{name}": str(value) for name, value in chosen.items()})
    start = Start(run, 1, "full", embedding, {"temperature": np.array(0.3)})
    assert start.shortened(films.resolved(100, len(vocabulary))).training.choices() == [chosen]


def test_the_same_again_is_reused_and_a_changed_rule_is_not(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    shop.contest(films, two_genres, "embedding", "pca")
    full, more = shop.learned(), grown(two_genres, 4)
    shop.tomorrow(films, more, "embedding", "pca")
    refresh = shop.learned()
    assert shop.tomorrow(films, more, "embedding", "pca").run_id == shop.registry.versions()[0].run_id
    assert shop.learned().run_id == refresh.run_id
    shop.tomorrow(settings(films, share=0.9), more, "embedding", "pca")
    other = shop.learned()
    assert other.run_id != refresh.run_id
    assert other.tags["refreshed_from"] == full.run_id  # not from a fit of the same examples
    shop.tomorrow(settings(films, times=0), more, "embedding", "pca")
    assert "refreshed_from" not in shop.learned().tags


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "the last full fit had 96 examples, and now there are 132"),
        ({"seed": 5}, "settings or code have changed"),
    ],
)
def test_what_has_changed_too_much_begins_anew(
    change: dict[str, Any], said: str, shop: Shop, films: Dataset, two_genres: pl.DataFrame,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    shop.contest(films, two_genres, "embedding", "pca")
    with caplog.at_level(logging.INFO):
        shop.tomorrow(films.model_copy(update=change), grown(two_genres, 4 if change else 60), "embedding", "pca")
    assert f"begins anew: {said}" in caplog.text
    assert "refreshed_from" not in shop.learned().tags


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"refit": True}, "the last fit has learned from what is held out now"),
        ({"split": Split(folds=3)}, "with `split.folds` each example has been learned from"),
    ],
)
def test_nothing_goes_on_that_has_learned_from_what_is_held_out(
    change: dict[str, Any], said: str, shop: Shop, films: Dataset, two_genres: pl.DataFrame,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    conf = films.model_copy(update=change)
    shop.contest(conf, two_genres, "embedding", "pca")
    with caplog.at_level(logging.INFO):
        shop.tomorrow(conf, grown(two_genres, 4), "embedding", "pca")
    assert f"begins anew: {said}" in caplog.text
    assert "refreshed_from" not in shop.learned().tags


def test_a_refresh_that_is_worse_is_followed_by_a_full_fit(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    """Here because the last fit was spoilt: every film has the place of another one."""
    films = films.model_copy(update={"task": films.task.model_copy(update={"primary": "recall_at_20"})})
    shop.contest(films, two_genres, "embedding", "pca")
    path = shop.tracker.file(shop.learned().run_id, "weights.npz")
    with np.load(path) as file:
        weights = dict(file)
    weights["table.weight"] = np.random.default_rng(0).permutation(weights["table.weight"])
    np.savez(path, **weights)
    with caplog.at_level(logging.INFO):
        shop.tomorrow(films, grown(two_genres, 4), "embedding", "pca")
    assert "begins anew: its refresh is worse than the last full fit (recall_at_20 -0." in caplog.text
    full = shop.learned()
    assert "refreshed_from" not in full.tags
    shop.tomorrow(films, grown(two_genres, 4), "embedding", "pca")
    assert shop.learned().run_id == full.run_id


def test_the_champion_meets_its_refresh_on_examples_that_are_new_to_both(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    shop.contest(films, two_genres, "embedding")
    made = shop.tomorrow(films, grown(two_genres, 8), "embedding")
    assert (made.version, made.candidate) == ("2", "2")
    assert "on 34 validation examples that are new to both" in made.said  # all of them: known ones keep their part


def test_a_person_who_comes_back_gets_the_same_part(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    shop.contest(films, two_genres, "pca")
    parts = kept_from_last(films, shop.tracker).parts
    assert parts is not None
    user = parts.filter(split="train")["example"][0]
    shop.tomorrow(films, two_genres.filter(pl.col("user") != user), "pca")
    again = kept_from_last(films, shop.tracker).parts
    assert again is not None
    assert again.filter(example=user)["split"].to_list() == ["train"]


def test_where_time_divides_the_tokens_more_may_only_come_at_the_end(films: Dataset, tmp_path: Path) -> None:
    """Each of 20 people has a film a day; a fit of nine days may go on with eleven, but not with seven."""
    conf = films.model_copy(update={"split": Split(time="day", hold_out="tokens")})
    rows = [(f"u{user:02d}", f"f{(user + day) % 23}", day) for user in range(20) for day in range(11)]
    records = pl.DataFrame(rows, schema=["user", "movie", "day"], orient="row").with_columns(title="movie")

    def until(day: int) -> Any:
        some = records.filter(pl.col("day") < day).lazy()
        return encode(some, build_vocabulary(pair_table(some, conf), conf), conf)

    write_parts(until(9), conf, Kept(), tmp_path)
    parts = pl.read_parquet(tmp_path / PARTS_FILE)
    assert not has_learned_from_held_out(parts, until(11), conf)
    assert has_learned_from_held_out(parts, until(7), conf)


def homes_without_ids(n: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    words = [" ".join(f"w{i}" for i in random.choice(30, 4, replace=False)) for _ in range(n)]
    return pl.DataFrame({"text": words, "price": random.lognormal(12, 0.5, n)})


@pytest.fixture
def homes(write_conf: Callable[..., Path]) -> Dataset:
    """Every row is an example, without an id."""
    settings = {
        "tokens": [{"kind": "words", "columns": "text"}],
        "task": {"kind": "regression", "target": "price"},
        "dimensions": [2],
        "baselines": [],
        "seeds": 1,
        "replicas": 0,
        "training": {"max_epochs": 2},
    }
    conf = load(write_conf("films", {"description": "d", "source": {"path": "unused.csv"}} | settings))
    return conf.model_copy(update={"split": Split(validation=0.15, test=0.35)})


def test_rows_without_ids_are_known_by_what_they_say_wherever_they_stand(shop: Shop, homes: Dataset) -> None:
    """The newest rows come first, so that all others have other numbers than yesterday."""
    old = homes_without_ids(300, seed=0)
    shop.contest(homes, old, "embedding")
    before = kept_from_last(homes, shop.tracker).parts
    made = shop.tomorrow(homes, pl.concat([homes_without_ids(15, seed=1), old]), "embedding")
    assert "refreshed_from" in shop.learned().tags
    assert "that are new to both" in made.said
    after = kept_from_last(homes, shop.tracker).parts
    assert before is not None
    assert after is not None
    both = before.join(after, on="example", suffix="_after")
    assert len(both) == 300
    assert both["split"].equals(both["split_after"])


def test_rows_without_ids_that_all_say_something_else_begin_anew(
    shop: Shop, homes: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    shop.contest(homes, homes_without_ids(300, seed=0), "embedding")
    with caplog.at_level(logging.INFO):
        made = shop.tomorrow(homes, homes_without_ids(300, seed=1), "embedding")
    assert "begins anew: the last fit has learned from what is held out now" in caplog.text
    assert "each on its own" in made.said


def visits(month: int, patients: Iterable[int]) -> pl.DataFrame:
    """Four visits of each patient, which have ids of their own in each month."""
    of = [patient for patient in patients for _ in range(4)]
    made = homes_without_ids(len(of), seed=month)
    return made.with_columns(patient=pl.Series(of), visit=pl.format("{}-{}", pl.lit(month), pl.int_range(len(of))))


def test_of_known_groups_no_new_example_is_tested_by_what_has_learned_from_the_group(
    shop: Shop, homes: Dataset
) -> None:
    """Each month has other visits, of nearly the same patients, and last month's are gone."""
    split = Split(validation=0.2, test=0.3, group="patient")
    conf = homes.model_copy(update={"example": "visit", "split": split})
    shop.contest(conf, visits(1, range(100)), "embedding")
    first = kept_from_last(conf, shop.tracker).parts
    made = shop.tomorrow(conf, visits(2, range(5, 105)), "embedding")
    assert "refreshed_from" in shop.learned().tags
    assert "that are new to both" in made.said
    second = kept_from_last(conf, shop.tracker).parts
    assert first is not None
    assert second is not None
    of_group = [parts.group_by("group").agg(pl.col("split").unique()) for parts in (first, second)]
    assert all(of_group[1]["split"].list.len() == 1)
    both = of_group[0].join(of_group[1], on="group", suffix="_after")
    assert both["split"].equals(both["split_after"])
    assert len(both) == 100  # those of patients that are gone stay noted


def test_a_fit_that_may_have_learned_from_the_groups_is_not_gone_on_from(
    shop: Shop, homes: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    """Groups are named only now: what was learned before was not kept apart by them."""
    split = Split(validation=0.2, test=0.3, group="patient")
    conf = homes.model_copy(update={"example": "visit", "split": Split(validation=0.2, test=0.3)})
    shop.contest(conf, visits(1, range(100)), "embedding")
    with caplog.at_level(logging.INFO):
        made = shop.tomorrow(conf.model_copy(update={"split": split}), visits(2, range(100)), "embedding")
    assert "begins anew" in caplog.text
    assert "each on its own" in made.said
