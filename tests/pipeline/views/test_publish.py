"""Pages and report of real fits, made once and opened in a real browser."""

import base64
import logging
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
import yaml
from pypdf import PdfReader
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from docs.tour import console_errors, leave
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Embedding
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.recorded import load_scores
from pipeline.experiment.tracking import Tracker
from pipeline.inference.described_tokens import described
from pipeline.records.ingest import ingest
from pipeline.views import tables
from pipeline.views.fit_page import PAGE
from pipeline.views.publish import draw_pages, write_report
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.accessibility import serious_faults
from tests.conftest import HOMES, MOVIES, PATIENCE, encoded_from

LOG = logging.getLogger("test")


Fitted = tuple[Dataset, Comparison, pl.DataFrame, SparseExamples, Tracker]


@pytest.fixture(scope="module", params=["movies", "homes"])
def fitted(
    request: pytest.FixtureRequest,
    two_genres: pl.DataFrame,
    priced_words: pl.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
    fresh_database: Callable[[Path], str],
) -> Fitted:
    """All that comes before the pages, at two values of D."""
    settings, raw = {"movies": (MOVIES, two_genres), "homes": (HOMES, priced_words)}[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    raw.write_csv(folder / "records.csv")
    settings = {
        **settings,
        "dimensions": [2, 3],
        "baselines": [{"kind": "pca", "dimensions": [2, 3]}],
        "source": {"path": "records.csv"},
    }
    (folder / f"{request.param}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    conf = load(folder / f"{request.param}.yaml")
    records = ingest(conf, folder, folder / "read").frame
    vocabulary, examples = encoded_from(records, conf)
    tracker = Tracker(fresh_database(folder), folder / "artifacts", conf.name)
    methods = ("embedding", *(baseline.kind for baseline in conf.baselines))
    fits = fit_all(methods, conf, vocabulary, examples, tracker).fits
    scores = {part: load_scores(tracker, fits, part) for part in HELD_OUT}
    comparison = Comparison.of(fits, len(vocabulary), conf.task, scores)
    return conf, comparison, described(records, conf), examples, tracker


def test_a_page_is_made_once_and_again_when_what_is_on_it_changes(fitted: Fitted, tmp_path: Path) -> None:
    conf, comparison, _, examples, tracker = fitted
    fits = [fit.name for fit in comparison.swept]

    def draw(genre: str) -> dict[str, bool]:
        tokens = pl.read_parquet(tracker.file(comparison.best.run_id, "embedding.parquet"))["token"]
        about = pl.DataFrame({"token": tokens, "genre": [genre] * len(tokens)})
        return draw_pages(conf, comparison, about, examples, tracker, LOG)

    assert draw("a first genre") == dict.fromkeys(fits, True)
    assert draw("a first genre") == dict.fromkeys(fits, False)
    assert draw("another genre") == dict.fromkeys(fits, True)
    assert "another genre" in tracker.file(comparison.best.run_id, PAGE).read_text()
    for fit in comparison.swept:
        embedding = Embedding.load(tracker.file(fit.run_id, "embedding.parquet"))
        labels = embedding.vocabulary.tokens.with_columns(label=pl.format("the other {}", "label"))
        (tmp_path / fit.name).mkdir()
        replace(embedding, vocabulary=Vocabulary.of_frame(labels)).save(tmp_path / fit.name / "embedding.parquet")
        tracker.keep(fit.run_id, tmp_path / fit.name, {})
    assert draw("another genre") == dict.fromkeys(fits, True)
    assert "the other " in tracker.file(comparison.best.run_id, PAGE).read_text()


def test_the_report_opens_and_says_what_the_comparison_says(fitted: Fitted, browser: Chrome, tmp_path: Path) -> None:
    conf, comparison, about, examples, tracker = fitted
    draw_pages(conf, comparison, about, examples, tracker, LOG)
    links = {"Dagster": "http://127.0.0.1:3000/assets"}
    report, shown = write_report(conf, comparison, examples, tracker, links)
    assert tracker.file(shown.run_id, "report.html").read_text() == report.html

    leave(browser)
    report.save(tmp_path)
    browser.get((tmp_path / "report.html").as_uri())
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= phone["width"]
    figures = browser.find_elements(By.CSS_SELECTOR, "figure img")
    assert all(figure.rect["x"] + figure.rect["width"] <= phone["width"] for figure in figures)
    widths = [browser.execute_script("return arguments[0].naturalWidth", figure) for figure in figures]
    assert max(widths) < 1200  # each was drawn so that its letters can be read there
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    text = browser.find_element(By.TAG_NAME, "body").text
    for sentence in tables.sentences(comparison):
        assert sentence in text
    for row in tables.verdict_cells(comparison)[1:]:
        assert all(cell in text for cell in row)
    bold = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "td.best")]
    highest = comparison.frame.sort(comparison.metrics[0], descending=conf.name == "movies")
    assert bold[0].startswith(f"{highest[comparison.metrics[0]][0]:.4f}")
    frame, lower = comparison.frame, comparison.about["lower_is_better"]
    best = {name: frame[name].min() if name in lower else frame[name].max() for name in comparison.metrics}
    assert len(bold) == sum((frame[name] == value).sum() for name, value in best.items())  # several may be the best
    assert f"The fingerprint of the sparse examples is {examples.fingerprint}." in text
    _is_whole_on_paper(browser, comparison)
    assert serious_faults(browser) == []
    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) >= 3
    assert all(image.get_attribute("alt") for image in images)
    assert all(browser.execute_script("return arguments[0].naturalWidth", image) > 300 for image in images)
    assert ("temperature" if conf.name == "movies" else "table_weight_decay") in text
    frame = browser.find_element(By.TAG_NAME, "iframe")
    browser.execute_script("arguments[0].scrollIntoView()", frame)
    browser.switch_to.frame(frame)
    WebDriverWait(browser, PATIENCE).until(
        lambda driver: driver.execute_script("return document.body && document.body.dataset.ready") == "yes"
    )
    assert browser.find_element(By.CSS_SELECTOR, "#token h2").text
    browser.switch_to.default_content()
    assert console_errors(browser) == []


def _is_whole_on_paper(browser: Chrome, comparison: Comparison) -> None:
    """Printed, every cell of the tables is there to its end, and no heading is the last line of a page."""
    paper = PdfReader(BytesIO(base64.b64decode(browser.print_page())))
    pages = [unicodedata.normalize("NFKC", page.extract_text()).splitlines() for page in paper.pages]  # no ligatures
    printed = "".join("".join("".join(page) for page in pages).split())
    for row in [*tables.verdict_cells(comparison), *tables.ranked_cells(comparison).cells]:
        for cell in row:
            assert "".join(cell.split()) in printed
    headings = [heading.text for heading in browser.find_elements(By.CSS_SELECTOR, "h2, h3, .caption")]
    assert len(headings) > 5
    for page in pages:
        assert page[-1].strip() not in headings
