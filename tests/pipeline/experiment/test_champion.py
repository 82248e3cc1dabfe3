import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import pipeline
from pipeline.baselines.als import Als
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.errors import PipelineError
from pipeline.examples.encoding import encode
from pipeline.experiment.artifacts import load_scores, vocabulary_size
from pipeline.experiment.champion import Champion, crown
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.model_registry import ModelRegistry
from pipeline.experiment.tracking import Tracker
from pipeline.records.pairs import pair_table
from pipeline.vocabulary.vocabulary import build_vocabulary
from tests.conftest import HOMES, MOVIES, genre_of, with_baselines
from tests.requirements_alone import packages_alone

pytestmark = pytest.mark.slow(40)

LOG = logging.getLogger("test")
WAR = ["war-00", "war-01", "war-02"]


@dataclass(frozen=True)
class Shop:
    """Where contests are held: an MLflow of its own."""

    tracker: Tracker
    uri: str

    def contest(self, conf: Dataset, records: pl.DataFrame, *methods: str) -> Champion:
        """Fit these methods on the records, and crown the champion."""
        vocabulary = build_vocabulary(pair_table(records.lazy(), conf), conf)
        examples = encode(records.lazy(), vocabulary, conf)
        fits = [fit for method in methods for fit in fit_all(method, conf, vocabulary, examples, self.tracker).fits]
        scores = {part: load_scores(self.tracker, fits, part) for part in ("validation", "test")}
        table = Comparison.of(fits, vocabulary_size(self.tracker, fits[0]), conf.task, scores)
        return crown(conf, table, records.lazy(), vocabulary, examples, self.tracker, LOG)

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.tracker.client, "films")


@pytest.fixture
def shop(tmp_path: Path, fresh_database: Callable[[Path], str]) -> Shop:
    uri = fresh_database(tmp_path)
    return Shop(Tracker(uri, tmp_path / "artifacts", "films"), uri)


@pytest.fixture
def films(write_conf: Callable, two_genres: pl.DataFrame) -> Dataset:
    conf = load(write_conf("films", {**MOVIES, "training": {"max_epochs": 2}}, two_genres))
    return with_baselines(conf, conf.baseline("popularity"), Als(dimension=2, regularisation=1.0, alpha=1.0))


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
    assert worse.said.startswith(
        "version 1, pca D=2, stays champion: version 2, popularity, is worse (recall_at_20 -0."
    )
    assert "on 32 validation examples" in worse.said
    back = shop.contest(films, two_genres, "pca", "popularity")
    assert (back.version, back.moved) == ("1", False)


def test_an_equal_fit_becomes_champion(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    shop.contest(films, two_genres, "popularity")
    same = shop.contest(films.model_copy(update={"seed": films.seed, "refit": True}), two_genres, "popularity")
    assert (same.version, same.moved) == ("2", True)
    assert "it is not worse than version 1" in same.said


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


def test_the_model_of_another_vocabulary_is_refused(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    shop.contest(films, two_genres, "pca")
    model: Any = pipeline.load("films", shop.uri)
    records = more_users(two_genres)
    vocabulary = build_vocabulary(pair_table(records.lazy(), films), films)
    examples = encode(records.lazy(), vocabulary, films)
    with pytest.raises(PipelineError, match="made with the vocabulary"):
        model.evaluate(examples)


def test_the_model_from_the_registry_scores_what_its_run_recorded(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    for method in ("embedding", "als"):
        made = shop.contest(films, two_genres, method)
        vocabulary = build_vocabulary(pair_table(two_genres.lazy(), films), films)
        examples = encode(two_genres.lazy(), vocabulary, films)
        model: Any = pipeline.load(f"models:/films/{made.candidate}", shop.uri)
        recorded = shop.tracker.client.get_run(shop.registry.require(made.candidate).run_id).data.metrics
        for part in ("validation", "test"):
            found = model.evaluate(examples, part)
            assert found == pytest.approx({name: recorded[f"{part}_{name}"] for name in found}, rel=1e-6)
            assert len(found) == 4


@pytest.mark.parametrize(("name", "settings"), [("films", MOVIES), ("houses", HOMES)])
def test_the_model_answers_without_this_repository_with_its_own_requirements_alone(
    name: str,
    settings: dict[str, Any],
    shop: Shop,
    write_conf: Callable,
    two_genres: pl.DataFrame,
    priced_words: pl.DataFrame,
    tmp_path: Path,
) -> None:
    records = two_genres if name == "films" else priced_words
    conf = load(write_conf(name, {**settings, "training": {"max_epochs": 2}}, records))
    made = replace(shop, tracker=Tracker(shop.uri, tmp_path / "artifacts", name)).contest(conf, records, "embedding")
    folder = Path(shop.tracker.client.download_artifacts(made.run_id, "model"))
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".cloudpickle")]
    needed = (folder / "requirements.txt").read_text().split()
    site = packages_alone(needed, tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import json, mlflow.pyfunc, warnings\n"
        f"model = mlflow.pyfunc.load_model({str(folder)!r}); print(json.dumps(model.predict(model.input_example)))\n"
        "import pipeline; print(pipeline.__file__)\n"
        "print([name for name in ('dagster', 'pytorch_lightning', 'matplotlib', 'assets') if name in sys.modules])"
    )
    # neither the site's packages nor the working directory nor a variable of the environment
    command = [sys.executable, "-I", "-S", "-c", code]
    outside = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers, where, imported = done.stdout.splitlines()
    model = pipeline.load(name, shop.uri)
    here = model.answers(model.example(), {})
    assert _numbers(json.loads(answers)) == pytest.approx(_numbers(here), rel=1e-6)
    assert where == str(folder / "code" / "pipeline" / "__init__.py")
    assert imported == "[]"


def _numbers(answers: Any) -> list[float]:
    """All numbers of an answer, in order."""
    if isinstance(answers, dict):
        return [number for value in answers.values() for number in _numbers(value)]
    if isinstance(answers, list):
        return [number for value in answers for number in _numbers(value)]
    return [float(answers)] if isinstance(answers, float | np.floating) else []


def test_models_are_found_by_name_version_run_and_folder(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    made = shop.contest(films, two_genres, "pca")
    expected = pipeline.load("films", shop.uri).recommend(WAR).frame  # type: ignore[attr-defined]
    folder = shop.tracker.client.download_artifacts(made.run_id, "model")
    for address in ("models:/films@champion", "models:/films/1", f"runs:/{made.run_id}/model", folder):
        found: Any = pipeline.load(address, shop.uri)
        assert found.recommend(WAR).frame.equals(expected)
        assert repr(found).startswith("<Recommender films: pca D=2, best on validation; recall_at_20 is ")
    with pytest.raises(PipelineError, match="there is no model 'flims' in MLflow, did you mean 'films'"):
        pipeline.load("flims", shop.uri)
    with pytest.raises(PipelineError, match="has no version '9'; there is: 1"):
        pipeline.load("models:/films/9", shop.uri)
    with pytest.raises(PipelineError, match=r"nothing was learned in sqlite:///nowhere\.db"):
        pipeline.load("films", "sqlite:///nowhere.db")
