"""Models, found by their address and asked on their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest
from mlflow.exceptions import MlflowException

import pipeline
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.experiment.tracking import Tracker
from tests.conftest import HOMES, MOVIES, NOTES, encoded_from, with_baselines
from tests.pipeline.experiment.shop import Shop
from tests.requirements_alone import packages_alone

pytestmark = pytest.mark.slow(40)

WAR = ["war-00", "war-01", "war-02"]
OF_FILMS = ("embedding", "pca", "als", "ease", "item_knn", "course_network", "popularity")
OF_HOUSES = ("embedding", "pca", "ridge", "boosted_trees", "mean")
OF_NOTES = ("embedding", "pca", "logistic_regression", "most_frequent_class")


@pytest.mark.parametrize(
    ("name", "settings", "method"),
    [
        *(("films", MOVIES, method) for method in OF_FILMS),
        *(("houses", HOMES, method) for method in OF_HOUSES),
        *(("notes", NOTES, method) for method in OF_NOTES),
    ],
)
def test_the_model_from_the_registry_scores_what_its_run_recorded(
    name: str,
    settings: dict[str, Any],
    method: str,
    tmp_path: Path,
    fresh_database: Callable[[Path], str],
    write_conf: Callable,
    request: pytest.FixtureRequest,
) -> None:
    records = request.getfixturevalue({"films": "two_genres", "houses": "priced_words", "notes": "noted_words"}[name])
    conf = load(write_conf(name, {**settings, "training": {"max_epochs": 2}}, records))
    if method not in ("embedding", "pca"):
        conf = with_baselines(conf, Baseline.named(method)())  # type: ignore[call-arg]
    uri = fresh_database(tmp_path)
    shop = Shop(Tracker(uri, tmp_path / "artifacts", name), uri)
    made = shop.contest(conf, records, method)
    _, examples = encoded_from(records, conf)
    model: Any = pipeline.load(f"models:/{name}/{made.candidate}", shop.uri)
    recorded = shop.tracker.client.get_run(made.run_id).data.metrics
    for part in ("validation", "test"):
        found = model.evaluate(examples, part)
        assert found == pytest.approx({metric: recorded[f"{part}_{metric}"] for metric in found}, rel=1e-6)
        assert conf.task.metrics[0].name in found


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


def test_a_text_that_is_missing_from_a_list_is_told_by_mlflow_s_model_too(
    shop: Shop, films: Dataset, two_genres: pl.DataFrame
) -> None:
    made = shop.contest(films, two_genres, "pca")
    model = mlflow.pyfunc.load_model(shop.tracker.client.download_artifacts(made.run_id, "model"))
    for odd in (None, float("nan")):
        with pytest.raises(MlflowException, match=r"row 1, tokens: has .*, and a text is asked for"):
            model.predict(pd.DataFrame({"tokens": [["war-01", odd]]}))
    (answer,) = model.predict(pd.DataFrame({"tokens": [np.array(["war-01"])]}))
    assert answer["unknown"] == []


def test_a_frame_without_a_column_that_the_model_knows_is_told(
    shop: Shop, homes: Dataset, priced_words: pl.DataFrame, tmp_path: Path
) -> None:
    made = replace(shop, tracker=Tracker(shop.uri, tmp_path / "artifacts", "planted_homes")).contest(
        homes, priced_words, "pca"
    )
    model = mlflow.pyfunc.load_model(shop.tracker.client.download_artifacts(made.run_id, "model"))
    with pytest.raises(MlflowException, match="has none of the columns that the model reads: text, area"):
        model.predict(pd.DataFrame({"words": ["castle"]}))
    with pytest.raises(MlflowException, match="the request has 0 rows"):
        model.predict(pd.DataFrame({"text": []}))


def test_models_are_found_by_name_version_run_and_folder(shop: Shop, films: Dataset, two_genres: pl.DataFrame) -> None:
    made = shop.contest(films, two_genres, "pca")
    expected = pipeline.load("films", shop.uri).recommend(WAR).frame  # type: ignore[attr-defined]
    folder = shop.tracker.client.download_artifacts(made.run_id, "model")
    for address in ("models:/films@champion", "models:/films/1", f"runs:/{made.run_id}/model", folder):
        found: Any = pipeline.load(address, shop.uri)
        assert found.recommend(WAR).frame.equals(expected)
        assert repr(found).startswith("<Recommender films: pca D=2, best on validation; recall_at_20 is ")
    assert pipeline.load(Path(folder), shop.uri).facts == found.facts
    for odd in (3, None, "", str(Path(folder).parent), "models:/films@other"):
        with pytest.raises(PipelineError, match=r"is no model: give a dataset, an address .*, or a folder that MLflow"):
            pipeline.load(odd, shop.uri)  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="there is no model 'flims' in MLflow, did you mean 'films'"):
        pipeline.load("flims", shop.uri)
    with pytest.raises(PipelineError, match="has no version '9'; there is: 1"):
        pipeline.load("models:/films/9", shop.uri)
    with pytest.raises(PipelineError, match=r"nothing was learned in sqlite:///nowhere\.db"):
        pipeline.load("films", "sqlite:///nowhere.db")
