"""What docs/other_tools.md says, run with the real tools on planted data; and the page of `make try` in a browser."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import polars as pl
import pytest
import torch
import yaml
from selenium.webdriver import Chrome, Keys
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline

import pipeline
from assets.automation import ALL
from assets.definitions import definitions
from benchmarks import postgresql
from docs.tour import console_errors, free_port, leave, shown, until
from docs.try_it import take_in, tried, typed
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import difference
from pipeline.evaluation.metrics import Metric
from pipeline.views.features import EmbeddingFeatures
from tests.conftest import HOMES, MOVIES, genre_of

PAGE = (Path(__file__).parents[1] / "docs" / "other_tools.md").read_text()

pytestmark = pytest.mark.slow(30)


FOUR = {"dimensions": [4], "baselines": [{"kind": "pca", "dimensions": [4]}, "popularity"]}


def blocks(section: str, language: str) -> list[str]:
    """The code of a section of the page, for the planted data: its D is 4, and its film is War-00."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    code = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [re.sub(r"(FLOAT\[|vector\()32", r"\g<1>4", one).replace("Alien (1979)", "War-00") for one in code]


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory,
    two_genres: pl.DataFrame,
    priced_words: pl.DataFrame,
    fresh_database: Callable[[Path], str],
) -> Path:
    """A home in which both planted datasets were learned, under the names of the samples."""
    folder = tmp_path_factory.mktemp("others")
    (folder / "conf").mkdir()
    fresh_database(folder / "home")
    for name, settings, records in (("movies", MOVIES | FOUR, two_genres), ("homes", HOMES, priced_words)):
        records.write_csv(folder / "conf" / f"{name}.csv")
        text = yaml.safe_dump({**settings, "source": {"path": f"{name}.csv"}}, sort_keys=False)
        (folder / "conf" / f"{name}.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("PIPELINE_HOME", str(folder / "home"))
        patch.setenv("PIPELINE_CONF", str(folder / "conf"))
        confs = [load(folder / "conf" / f"{name}.yaml") for name in ("movies", "homes")]
        assert definitions(confs).resolve_job_def(ALL).execute_in_process(instance=instance).success
    return folder / "home"


@pytest.fixture
def here(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The page's first code was run in an empty folder: its names."""
    monkeypatch.setenv("PIPELINE_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    (first,) = re.findall(r"```python\n(.*?)```", PAGE.partition("## DuckDB")[0], re.DOTALL)
    exec(first, names)
    return names


def test_duckdb_finds_the_neighbours_that_the_model_finds(here: dict[str, Any]) -> None:
    (query,) = blocks("DuckDB", "sql")
    found = duckdb.sql(query).fetchall()
    expected = here["movies"].similar("War-00", k=5)
    assert {label for label, _ in found} == set(expected["label"])
    assert [cosine for _, cosine in found] == pytest.approx(expected["cosine"].to_list(), abs=1e-5)


def test_pgvector_finds_the_neighbours_that_the_model_finds(here: dict[str, Any]) -> None:
    psycopg2 = pytest.importorskip("psycopg2")
    programs = postgresql.with_pgvector()
    if programs is None:
        pytest.skip("no PostgreSQL with pgvector here")
    make, query = blocks("PostgreSQL with pgvector", "sql")
    (fill,) = blocks("PostgreSQL with pgvector", "python")
    with postgresql.cluster(free_port(), programs) as server:
        connection = psycopg2.connect(f"{server.address}/postgres")
        cursor = connection.cursor()
        cursor.execute(make)
        exec(fill, {"connection": connection})
        cursor.execute(query)
        found = cursor.fetchall()
        connection.close()
    expected = here["movies"].similar("War-00", k=5)
    assert {label for label, _ in found} == set(expected["label"])
    assert [cosine for _, cosine in found] == pytest.approx(expected["cosine"].to_list(), abs=1e-5)


def test_a_layer_of_pytorch_has_the_vectors(here: dict[str, Any]) -> None:
    (code,) = blocks("PyTorch", "python")
    exec(code, here)
    vocabulary = here["movies"].embedding.vocabulary
    rows = torch.tensor([vocabulary.index("war-00"), vocabulary.index("love-03")])
    assert here["layer"](rows).numpy() == pytest.approx(np.stack([here["movies"].embed(["war-00"]),
                                                                  here["movies"].embed(["love-03"])]))  # fmt: skip


def test_boosted_trees_are_better_with_the_embedding_than_without(
    here: dict[str, Any], priced_words: pl.DataFrame
) -> None:
    (code,) = blocks("scikit-learn", "python")
    code, n = re.subn(r"^numbers = .*$", 'numbers = ["area"]', code, flags=re.MULTILINE)
    assert n == 1
    exec(code, names := {**here})
    records, price = priced_words.to_pandas(), np.log(priced_words["price"].to_numpy())
    training, test = slice(0, 400), slice(400, 600)
    alone = HistGradientBoostingRegressor(random_state=0).fit(records[["area"]][training], price[training])
    both = names["trees"].fit(records[training], price[training])
    errors = [
        np.square(price[test] - model.predict(frame[test]))
        for model, frame in ((both, records), (alone, records[["area"]]))
    ]
    draws = np.random.default_rng(0).integers(0, 200, (2000, 200))
    metric = Metric("mse", "mean squared error", higher_is_better=False)
    with_it, without = ((float(error.mean()), error[draws].mean(axis=1)) for error in errors)
    assert difference(metric, with_it, without, 200).verdict == "better"


def test_the_features_go_into_a_pipeline_and_can_be_cloned(here: dict[str, Any]) -> None:
    features = clone(EmbeddingFeatures("movies"))
    lists = np.array([["war-00", "War-01"], ["love-00"], ["none of them"]], dtype=object)
    found = make_pipeline(features).fit_transform(lists)
    assert found.shape == (3, 4)
    assert found[0] == pytest.approx(here["movies"].embed(["war-00", "war-01"]))
    assert not found[2].any()
    frame = pl.DataFrame({"films": [["war-00"], ["love-00"]]}).to_pandas()
    assert features.fit(frame).transform(frame)[0] == pytest.approx(here["movies"].embed(["war-00"]))
    assert features.get_feature_names_out().tolist() == [f"embedding_{i}" for i in range(4)]
    with pytest.raises(PipelineError, match="give a frame"):
        EmbeddingFeatures(pipeline.load("homes")).fit(lists).transform(lists)


def written(browser: Chrome, selector: str) -> list[str]:
    """The texts of the elements at a CSS selector, all at one time."""
    script = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText)"
    texts: list[str] = browser.execute_script(script, selector)
    return texts


def given(browser: Chrome) -> list[str]:
    """The labels in the list."""
    lines = "\n".join(written(browser, "[data-testid=stMultiSelect]")).splitlines()
    return [line.strip() for line in lines if line.startswith(("War-", "Love-"))]


def recommended(browser: Chrome) -> list[str]:
    return written(browser, "[data-testid=stMarkdown] strong")


def test_on_the_page_a_list_grows_and_one_s_place_moves(browser: Chrome, home: Path) -> None:
    with tried("movies", PIPELINE_HOME=str(home)) as address:
        leave(browser)
        browser.get(address)
        for label in ("War-00", "War-01"):
            typed(browser, label)
        first = recommended(browser)
        assert given(browser) == ["War-00", "War-01"]
        assert {genre_of(label.lower()) for label in first} == {"war"}
        assert "because of War-0" in written(browser, "body")[0]
        take_in(browser)
        until(browser, lambda page: given(page) == ["War-00", "War-01", first[0]], "the list does not grow")
        until(browser, lambda page: first[0] not in recommended(page), "what is in the list is recommended")
        shown(browser, "//*[@data-testid='stMultiSelect']//input").click()
        shown(browser, "//*[@role='option' and contains(., 'Select all')]").click()
        shown(browser, "//*[contains(text(), 'Nothing is missing')]")
        assert console_errors(browser) == []
        browser.get("about:blank")  # before its server ends


def test_on_the_page_of_homes_words_and_numbers_change_the_price(browser: Chrome, home: Path) -> None:
    def price() -> str:
        return next((title for title in written(browser, "h1") if title.startswith("price: ")), "")

    def entered(xpath: str, text: str, *enter: str) -> float:
        """The price after a text was entered at an XPath."""
        before = until(browser, lambda _: price(), "there is no price")
        field = shown(browser, xpath)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text, *enter)
        until(browser, lambda _: price() not in ("", before), f"{text} does not change the price")
        return float(price().removeprefix("price: ").replace(",", ""))

    with tried("homes", PIPELINE_HOME=str(home)) as address:
        leave(browser)
        browser.get(address)
        cheap, dear = (entered("//textarea", word, Keys.CONTROL, Keys.ENTER) for word in ("ruin", "castle"))
        assert dear > 2 * cheap
        shown(browser, "//*[name()='svg']//*[normalize-space(text())='castle']")  # and what it adds
        assert "with 90% probability from" in written(browser, "body")[0]
        small, large = (entered("//input[@type='number']", area, Keys.ENTER) for area in ("60", "140"))
        assert small < large
        assert browser.find_elements("class name", "modebar-btn") == []  # on a phone they would cover the title
        assert console_errors(browser) == []
        browser.get("about:blank")  # before its server ends


def test_onnx_runtime_gives_the_scores_of_the_network(
    here: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    export, run = blocks("ONNX", "python")
    logging.getLogger("torch.onnx").addHandler(caplog.handler)  # what PyTorch logs goes past pytest otherwise
    exec(export, here)
    logging.getLogger("torch.onnx").removeHandler(caplog.handler)
    assert [one.getMessage() for one in caplog.records if one.name.startswith("torch.onnx")] == []
    exec(run, here)
    movies: Any = here["movies"]
    inputs, _ = movies.encoded([movies.embedding.vocabulary.decode([0, 1])])
    assert here["tokens"] == movies.embedding.vocabulary.tokens["token"].to_list()
    expected = movies.fitted.score(inputs, np.empty((1, 0)))
    assert here["scores"] == pytest.approx(expected, rel=1e-4, abs=1e-4)

    homes: Any = pipeline.load("homes")
    here["export_onnx"](homes, tmp_path / "homes.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "homes.onnx")
    place = homes.embedding.vocabulary.index
    tokens = np.array([[place("castle"), place("garden")], [place("ruin"), -1], [-1, -1]])
    dense = np.array([[100.0], [np.nan], [80.0]], np.float32)
    (prices,) = session.run(["scores"], {"tokens": tokens, "dense": dense})
    rows = [{"text": "castle garden", "area": 100}, {"text": "ruin", "area": None}, {"text": "", "area": 80}]
    assert prices == pytest.approx(homes.predict(rows)["predicted"].to_numpy(), rel=1e-4)
    here["export_onnx"](movies.fitted, tmp_path / "fit.onnx")  # a fit that is no champion has no model
    assert (tmp_path / "fit.onnx").stat().st_size > 0
    with pytest.raises(PipelineError, match="object is no network"):
        here["export_onnx"](object(), tmp_path / "no.onnx")
