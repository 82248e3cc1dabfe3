"""`make dev` as a person in a browser uses it: make a dataset, see what it is worth, compare in MLflow, stop a run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from docs.tour import Tour, console_errors, leave, served, until
from tests.conftest import MOVIES, statuses, wait_until

QUICK = {**MOVIES, "dimensions": [2, 3], "baselines": [{"kind": "pca", "dimensions": [2, 3]}, "popularity"]}
"""Two values of D, so that MLflow shows the dimension among the settings that differ."""
PATIENT = {**MOVIES, "training": {**MOVIES["training"], "max_epochs": 1_000_000, "patience": 1_000_000}}

pytestmark = pytest.mark.slow(90)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("looked-at")


@pytest.fixture(scope="module")
def dagster(home: Path, two_genres: pl.DataFrame, fresh_database: Callable[[Path], str]) -> Iterator[str]:
    """Run `make dev` on two planted datasets, one of which would train for days: the address of Dagster's page."""
    fresh_database(home / "var")
    (home / "conf").mkdir()
    two_genres.write_csv(home / "conf" / "records.csv")
    for name, settings in {"quick": QUICK, "patient": PATIENT}.items():
        text = yaml.safe_dump({**settings, "source": {"path": "records.csv"}}, sort_keys=False)
        (home / "conf" / f"{name}.yaml").write_text(text)
    with served(PIPELINE_HOME=str(home / "var"), PIPELINE_CONF=str(home / "conf")) as address:
        yield address


def test_a_newcomer_makes_a_dataset_and_compares_its_runs(reader: Chrome, dagster: str, home: Path) -> None:
    leave(reader)
    tour = Tour(reader, dagster, "quick")
    tour.job()
    tour.materialize()
    expected = dict.fromkeys(("embedding D=2", "embedding D=3", "pca D=2", "pca D=3", "popularity"), "FINISHED")
    reader.get("about:blank")  # Dagster's page of a run is busy until the run ends
    wait_until(lambda: statuses(home / "var" / "mlflow.db", "quick") == expected)
    reader.back()
    tour.find("//*[contains(text(), 'Success')]")

    tour.answer()
    told, place = tour.read("//tr[.//*[normalize-space()='answer']]//p")
    assert "Take D=" in told
    assert place["y"] + place["height"] < reader.execute_script("return innerHeight")  # without scrolling
    tour.group()
    _, place = tour.read("//tr[./td[normalize-space()='answer']]/td[2]")
    assert place["x"] + place["width"] <= reader.execute_script("return innerWidth")  # not cut
    tour.compare()
    tour.runs()
    columns = {"test_recall_at_20", "test_ndcg_at_20"}
    until(reader, lambda page: columns <= set(page.find_element(By.TAG_NAME, "body").text.split()), "no such columns")
    rows = "//*[@role='row']//a[contains(@href, '/runs/')]"
    names = until(reader, lambda page: [link.text for link in page.find_elements(By.XPATH, rows)], "no runs")
    assert set(names) == set(expected)
    assert names[-1] == "popularity"
    tour.report()
    assert "quick: a learned embedding" in reader.find_element(By.TAG_NAME, "h1").text
    top = "return document.querySelector('#dimensions').getBoundingClientRect().top"
    wait_until(lambda: abs(reader.execute_script(top)) < 5)
    reader.switch_to.default_content()
    assert console_errors(reader) == []


def test_a_run_that_is_terminated_on_its_page_ends_as_killed(reader: Chrome, dagster: str, home: Path) -> None:
    tour = Tour(reader, dagster, "patient")
    tour.job()
    tour.materialize()
    wait_until(lambda: statuses(home / "var" / "mlflow.db", "patient").get("embedding D=2") == "RUNNING")
    tour.terminate()
    wait_until(lambda: statuses(home / "var" / "mlflow.db", "patient")["embedding D=2"] != "RUNNING")
    assert statuses(home / "var" / "mlflow.db", "patient")["embedding D=2"] == "KILLED"
