import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

import pipeline
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.errors import PipelineError
from pipeline.experiment.fits import Fit
from pipeline.experiment.recorded import split_in_words
from tests.conftest import encoded_from, genre_of
from tests.pipeline.examples.test_recency import IN_ORDER
from tests.pipeline.experiment.shop import Shop
from tests.pipeline.network.test_order import walks

pytestmark = pytest.mark.slow(40)

WAR = ["war-00", "war-01", "war-02"]


def test_the_best_on_validation_becomes_the_first_champion(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    made = shop.contest(films, two_genres, "popularity", "pca")
    assert (made.fit, made.version, made.moved) == ("pca D=2", "1", True)
    assert made.said == "version 1, pca D=2, is the first champion."
    champion = shop.registry.champion()
    assert champion is not None
    assert champion.run_id == made.run_id
    run = shop.tracker.client.get_run(made.run_id)
    assert float(champion.tags["recall_at_20"]) == pytest.approx(run.data.metrics["test_recall_at_20"], rel=1e-5)
    assert {"examples", "vocabulary", "verdict"} <= champion.tags.keys()
    again = shop.contest(films, two_genres, "popularity", "pca")
    assert (again.version, again.moved) == ("1", False)
    assert len(shop.registry.versions()) == 1


def test_a_worse_fit_does_not_become_champion_and_a_better_one_does(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    shop.contest(films, two_genres, "pca", "popularity")
    worse = shop.contest(films, two_genres, "popularity", "popularity")
    assert (worse.version, worse.candidate, worse.moved) == ("1", "2", False)
    assert worse.said.startswith("version 1, pca D=2, stays champion: version 2, popularity, is worse (ndcg_at_20 -0.")
    assert "on 32 validation examples" in worse.said
    back = shop.contest(films, two_genres, "pca", "popularity")
    assert (back.version, back.moved) == ("1", False)


def test_an_equal_fit_becomes_champion(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    shop.contest(films, two_genres, "popularity")
    same = shop.contest(films.model_copy(update={"seed": films.seed, "refit": True}), two_genres, "popularity")
    assert (same.version, same.moved) == ("2", True)
    assert "it is not worse than version 1" in same.said


def test_weights_in_another_unit_make_another_version_of_the_same_fit(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    """It reads the weights of files and requests in the unit of today."""
    watched, weighted = two_genres.with_columns(hours=1 + pl.int_range(pl.len()) % 5), {"weight": "hours"}
    hours = shop.contest(films.model_copy(update=weighted), watched, "popularity")
    assert shop.contest(films.model_copy(update=weighted), watched, "popularity").version == "1"
    in_minutes = watched.with_columns(pl.col("hours") * 60)
    minutes = shop.contest(films.model_copy(update=weighted), in_minutes, "popularity")
    assert (minutes.version, minutes.moved, minutes.run_id) == ("2", True, hours.run_id)
    assert minutes.facts["typical_weight"] == pytest.approx(60 * hours.facts["typical_weight"])
    for number, is_told in (("1", True), ("2", False)):
        shop.registry.pin(number)
        said = shop.contest(films.model_copy(update=weighted), in_minutes, "popularity").said
        assert (
            said.endswith("It reads hours in an earlier unit: choose a version of today, or VERSION=auto.") == is_told
        )


def test_settings_that_decide_no_fit_decide_how_a_new_version_of_it_reads_and_answers(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    """Columns have other names, and fewer films are asked for: the fit stays, and its model follows."""
    hours = two_genres.with_columns(hours=1 + pl.int_range(pl.len()) % 5)
    first = shop.contest(films.model_copy(update={"weight": "hours"}), hours, "popularity")
    fewer = films.inference.model_copy(update={"top": 3})
    today = films.model_copy(update={"weight": "length", "example": "member", "inference": fewer})
    renamed = shop.contest(today, hours.rename({"hours": "length", "user": "member"}), "popularity")
    assert (renamed.version, renamed.moved, renamed.run_id) == ("2", True, first.run_id)
    conf = pipeline.load("films", shop.uri).conf
    assert (conf.weight, conf.example, conf.inference.top) == ("length", "member", 3)
    assert pipeline.load("models:/films/1", shop.uri).conf.weight == "hours"


def test_a_person_s_choice_is_respected_until_it_is_taken_back(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    shop.contest(films, two_genres, "popularity")
    shop.contest(films, two_genres, "pca", "popularity")
    assert shop.registry.champion().number == "2"  # type: ignore[union-attr]
    shop.tracker.client.set_registered_model_alias("films", "champion", "1")  # as on MLflow's page
    kept = shop.contest(films, two_genres, "pca", "popularity")
    assert (kept.version, kept.moved) == ("1", False)
    assert kept.said.startswith("version 1, popularity, stays champion because a person chose it")
    shop.registry.release()
    assert shop.contest(films, two_genres, "pca", "popularity").version == "2"
    shop.registry.pin("2")
    better = shop.contest(films, two_genres, "als", "pca")
    assert better.version == "2"
    with pytest.raises(PipelineError, match="has no version '7'; there is: 3, 2, 1"):
        shop.registry.pin("7")
    shop.tracker.client.delete_registered_model_alias("films", "champion")
    assert shop.contest(films, two_genres, "pca", "popularity").moved


def more_users(records: pl.DataFrame, n: int = 60) -> pl.DataFrame:
    """The records, and those of new users with tastes like the others', who also watch a film that is new."""
    some = records.filter(pl.col("user") < f"u{n:03d}").with_columns(user="v" + pl.col("user"))
    new = some.select("user").unique().with_columns(movie=pl.lit("war-new"), title=pl.lit("War-New"))
    return pl.concat([records, some, new])


def test_after_the_data_was_refreshed_both_are_scored_on_examples_that_are_new_to_both(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    shop.contest(films, two_genres, "pca", "popularity")
    refreshed = more_users(two_genres)
    worse = shop.contest(films, refreshed, "popularity", "popularity")
    assert (worse.version, worse.moved) == ("1", False)
    assert "examples that are new to both" in worse.said
    # the champion of last month still answers, and knows nothing of the new film
    model = pipeline.load("films", shop.uri)
    found = model.recommend([*WAR, "war-new"], k=5)  # type: ignore[attr-defined]
    assert {genre_of(token) for token in found.frame["token"]} == {"war"}
    assert [one.given for one in found.unknown] == ["war-new"]
    better = shop.contest(films, refreshed, "pca", "popularity")
    assert (better.version, better.moved) == ("3", True)


def test_with_folds_nothing_old_is_new_to_both_so_each_is_measured_on_its_own(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    conf = films.model_copy(update={"split": Split(folds=3)})
    shop.contest(conf, two_genres, "pca", "popularity")
    longer = pl.concat([two_genres, two_genres.head(1).with_columns(movie=pl.lit("love-19"))])
    worse = shop.contest(conf, longer, "popularity", "popularity")
    assert (worse.version, worse.moved) == ("1", False)
    assert "each on its own validation examples" in worse.said


PRICED: dict[str, Any] = {"task": {"kind": "regression", "target": "price", "log": False}, "baselines": ["mean"]}
NAMED: dict[str, Any] = {"task": {"kind": "classification", "target": "kind"}, "baselines": ["most_frequent_class"]}


def homes(n: int, kinds: str = "abc") -> pl.DataFrame:
    """Homes whose words tell their kind, and their price."""
    kind = [kinds[i % len(kinds)] for i in range(n)]
    text = [f"word{one} more{i % 7}" for i, one in enumerate(kind)]
    price = [100.0 * ("abc".index(one) + 1) + i % 7 for i, one in enumerate(kind)]
    return pl.DataFrame({"home": [f"h{i}" for i in range(n)], "text": text, "kind": kind, "price": price})


@pytest.fixture
def of_homes(write_conf: Callable[..., Path]) -> Callable[..., Dataset]:
    def make(**settings: Any) -> Dataset:
        few = {"dimensions": [1], "seeds": 1, "replicas": 0, "training": {"max_epochs": 1}, "split": {"folds": 3}}
        words = [{"kind": "words", "columns": "text"}]
        said = {"description": "d", "source": {"path": "unused.csv"}, "example": "home", "tokens": words}
        return load(write_conf("films", {**said, **few, **settings}))

    return make


def test_a_champion_of_another_unit_does_not_stay(shop: Shop, of_homes: Callable[..., Dataset]) -> None:
    """With folds all was learned from, so each is measured on its own examples: their errors have other units."""
    conf = of_homes(**PRICED)
    shop.contest(conf, homes(60), "pca", "mean")
    in_cents = shop.contest(conf, homes(60).with_columns(pl.col("price") * 100), "pca", "mean")
    assert in_cents.moved
    assert "r2 " in in_cents.said


def test_a_champion_that_does_not_know_a_class_does_not_stay(shop: Shop, of_homes: Callable[..., Dataset]) -> None:
    conf = of_homes(**NAMED)
    shop.contest(conf, homes(60, kinds="ab"), "pca", "most_frequent_class")
    every = shop.contest(conf, homes(60), "pca", "most_frequent_class")
    assert every.moved
    assert every.said.endswith("does not know the class 'c'.")


def test_on_examples_new_to_both_a_champion_pays_for_a_class_that_it_does_not_know(
    shop: Shop, of_homes: Callable[..., Dataset]
) -> None:
    conf = of_homes(**NAMED, split={"validation": 0.2, "test": 0.3})
    shop.contest(conf, homes(60, kinds="ab"), "pca", "most_frequent_class")
    grown = pl.concat([homes(60, kinds="ab"), homes(260, kinds="abc").slice(60)])
    later = shop.contest(conf, grown, "most_frequent_class", "most_frequent_class")
    assert later.moved
    assert "that are new to both" in later.said


def test_where_nothing_is_to_be_learned_the_baseline_that_ignores_the_example_answers(
    shop: Shop, of_homes: Callable[..., Dataset]
) -> None:
    conf = of_homes(**NAMED | {"baselines": ["most_frequent_class", "logistic_regression"]})
    noise = homes(150).with_columns(kind=pl.Series(random.Random(5).choices("abc", k=150)))
    made = shop.contest(conf, noise, "logistic_regression", "most_frequent_class")
    fits = {name: run.metrics["validation_log_loss"] for name, run in shop.tracker.current().items()}
    assert fits["logistic_regression"] < fits["most_frequent_class"]  # by chance, as validation chooses its penalty
    assert made.fit == "most_frequent_class"
    assert made.facts["said"].startswith("most_frequent_class, as none is shown to be better on validation; log_loss")


def test_a_champion_that_answered_another_question_does_not_stay(shop: Shop, of_homes: Callable[..., Dataset]) -> None:
    shop.contest(of_homes(**PRICED), homes(60), "pca", "mean")
    other = shop.contest(of_homes(**NAMED), homes(60), "pca", "most_frequent_class")
    assert other.moved
    assert other.said.endswith("predicts price (regression), which conf asks no longer.")


def test_the_model_of_another_vocabulary_is_refused(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    shop.contest(films, two_genres, "pca")
    model: Any = pipeline.load("films", shop.uri)
    records = more_users(two_genres)
    _, examples = encoded_from(records, films)
    with pytest.raises(PipelineError, match="made with the vocabulary"):
        model.evaluate(examples)


def test_a_champion_whose_run_was_removed_is_told_and_replaced(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.cli import gc  # takes two seconds, which all workers would need to collect this file

    made = shop.contest(films, two_genres, "pca", "popularity")
    shop.tracker.client.delete_run(made.run_id)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shop.uri)
    CliRunner().invoke(gc, ["--backend-store-uri", shop.uri, "--run-ids", made.run_id], catch_exceptions=False)
    with pytest.raises(PipelineError, match="version 1 of the model 'films', pca D=2, is gone: its run was removed"):
        pipeline.load("films", shop.uri)
    worse = shop.contest(films, two_genres, "popularity", "popularity")
    assert (worse.version, worse.moved) == ("2", True)
    assert "version 1, pca D=2, is gone" in worse.said


def test_a_champion_that_goes_by_the_order_of_lists_says_so_and_so_does_the_table(
    shop: Shop, write_conf: Callable[..., Path]
) -> None:
    records = pl.DataFrame({"songs": [" ".join(one) for one in walks(400)]})
    task = {"kind": "missing_tokens", "primary": "ndcg_at_20"}
    settings = {"task": task, "training": {"temperature": 0.15, "max_epochs": 8}, "seeds": 1}
    conf = load(write_conf("films", {**IN_ORDER, **settings}, records))
    made = shop.contest(conf, records, "embedding", "popularity")
    version = shop.tracker.client.get_model_version("films", made.version)
    assert version.description.endswith("test examples. It reads each list in its order, the latest token last.")
    runs = shop.tracker.current()
    fits = [Fit("films", "embedding", 2, runs["embedding D=2"].run_id, "", False, {})]
    told = " The learned embedding goes by the order of the tokens too; to the baselines they are bags."
    assert str(split_in_words(shop.tracker, fits, conf)).endswith(told)
    bags = [Fit("films", "popularity", 0, runs["popularity"].run_id, "", False, {})]
    assert not str(split_in_words(shop.tracker, bags, conf)).endswith(told)
