"""Pages and report of real fits, made once and opened in a real browser."""

import logging
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from docs.tour import console_errors
from pipeline import sources
from pipeline.comparison import Comparison
from pipeline.conf_files import load
from pipeline.config import Dataset
from pipeline.encoding import HELD_OUT, SparseExamples, encode
from pipeline.fitting import fit_all, load_scores
from pipeline.gallery import PAGE, draw_pages, write_report
from pipeline.splitting import training_pairs
from pipeline.tokens import described
from pipeline.tracking import Tracker
from pipeline.vocabulary import build_vocabulary
from tests.conftest import HOMES, MOVIES

LOG = logging.getLogger("test")


def fitted(conf: Dataset, folder: Path) -> tuple[Comparison, pl.DataFrame, SparseExamples, Tracker]:
    """Everything before the pages."""
    records = sources.scan(conf, folder / "conf")
    vocabulary = build_vocabulary(training_pairs(records, conf), conf)
    examples = encode(records, vocabulary, conf)
    tracker = Tracker(f"sqlite:///{folder}/mlflow.db", folder / "artifacts", conf.name)
    methods = ("embedding", "pca", *(rival.kind for rival in conf.rivals))
    fits = [fit for method in methods for fit in fit_all(method, conf, vocabulary, examples, tracker).fits]
    scores = {part: load_scores(tracker, fits, part) for part in HELD_OUT}
    comparison = Comparison.of(fits, len(vocabulary), conf.logs, scores)
    return comparison, described(records, conf), examples, tracker


def test_a_page_is_made_once_and_again_when_what_is_on_it_changes(movies: Dataset, tmp_path: Path) -> None:
    comparison, about, examples, tracker = fitted(movies, tmp_path)
    draw = lambda about: draw_pages(movies, comparison, about, examples, tracker, LOG)  # noqa: E731
    assert draw(about) == {"embedding D=2": True, "pca D=2": True}
    assert draw(about) == {"embedding D=2": False, "pca D=2": False}
    genre = pl.DataFrame(
        {"token": [f"{kind}-{i:02d}" for kind in ("war", "love") for i in range(20)], "genre": ["war"] * 40}
    )
    assert draw(genre) == {"embedding D=2": True, "pca D=2": True}
    assert "war" in tracker.file(comparison.best.run_id, PAGE).read_text()


@pytest.mark.parametrize("kind", ["movies", "homes"])
def test_the_report_opens_and_says_what_the_comparison_says(
    kind: str,
    browser: Chrome,
    write_conf: Callable[..., Path],
    two_genres: pl.DataFrame,
    priced_words: pl.DataFrame,
    tmp_path: Path,
) -> None:
    settings, records = {"movies": (MOVIES, two_genres), "homes": (HOMES, priced_words)}[kind]
    three = {**settings, "dimensions": [2, 3], "baseline": {"dimensions": [2, 3]}}
    conf = load(write_conf(kind, three, records))
    comparison, about, examples, tracker = fitted(conf, tmp_path)
    draw_pages(conf, comparison, about, examples, tracker, LOG)
    links = {"Dagster": "http://127.0.0.1:3000/assets"}
    report, shown = write_report(conf, comparison, examples, tracker, links)
    assert tracker.file(shown.run_id, "report.html").read_text() == report.html

    browser.get_log("browser")
    report.save(tmp_path)
    browser.get((tmp_path / "report.html").as_uri())
    text = browser.find_element(By.TAG_NAME, "body").text
    for sentence in comparison.sentences():
        assert sentence in text
    for row in comparison.verdict_cells()[1:]:
        assert all(cell in text for cell in row)
    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) >= 3
    assert all(image.get_attribute("alt") for image in images)
    assert all(browser.execute_script("return arguments[0].naturalWidth", image) > 300 for image in images)
    assert "temperature" in text if kind == "movies" else "token_dropout" in text
    frame = browser.find_element(By.TAG_NAME, "iframe")
    browser.execute_script("arguments[0].scrollIntoView()", frame)
    browser.switch_to.frame(frame)
    WebDriverWait(browser, 60).until(
        lambda driver: driver.execute_script("return document.body && document.body.dataset.ready") == "yes"
    )
    assert browser.find_element(By.CSS_SELECTOR, "#token h2").text
    browser.switch_to.default_content()
    assert console_errors(browser) == []
