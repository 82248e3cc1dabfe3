"""The pages in a real browser, read from disk: what people see, find and click."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from docs.tour import console_errors
from pipeline.embedding import Embedding
from pipeline.pictures.projection import View, plane, space
from pipeline.views.pages.latent_space import Colour, categories, latent_space_page
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import PATIENCE

NASTY = "</script><b>Ünïcode & 'quotes' \"映画\"</b>"


@pytest.fixture
def embedding() -> Embedding:
    """60 tokens in two directions: those with an even number along the first axis, the others along the second."""
    random = np.random.default_rng(0)
    counts = {NASTY: 1000} | {f"film {i:02d}": 100 - i for i in range(1, 60)}
    matrix = random.normal(0, 0.05, (60, 4)).astype(np.float32)
    matrix[np.arange(60), np.arange(60) % 2] += 1
    return Embedding(Vocabulary.of(counts), matrix)


def look(browser: Chrome, page: str, tmp_path: Path) -> None:
    """Open a page from disk and wait until it is drawn."""
    browser.get_log("browser")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    WebDriverWait(browser, PATIENCE).until(
        lambda driver: driver.execute_script("return document.body.dataset.ready") == "yes"
    )


def points(browser: Chrome) -> list[dict[str, Any]]:
    """The drawn groups: name, number of points and first tooltip of each."""
    drawn: list[dict[str, Any]] = browser.execute_script(
        "return document.getElementById('plot').data.filter(t => t.customdata)"
        ".map(t => ({name: t.name, type: t.type, n: t.x.length, first: t.text[0]}))"
    )
    return drawn


def test_points_tooltips_and_colours_are_those_of_the_tokens(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    about = pl.DataFrame({"genres": ["War|Drama" if i % 2 else "Love" for i in range(60)], "year": ["1999"] * 60})
    colour = Colour("genres", categories(about["genres"].to_list()))
    look(browser, latent_space_page(embedding, "films: D=4", [[plane(embedding)]], about, colour), tmp_path)
    drawn = {group["name"]: group for group in points(browser)}
    assert {name: group["n"] for name, group in drawn.items()} == {"Love": 30, "War": 30}
    assert "1,000 in training" in drawn["Love"]["first"]
    assert "genres: Love" in drawn["Love"]["first"]
    assert "year: 1999" in drawn["Love"]["first"]
    assert browser.find_element(By.TAG_NAME, "h1").text == "films: D=4"
    assert "all 60 tokens" in browser.find_element(By.CSS_SELECTOR, "header p").text
    assert "↔" in browser.find_element(By.ID, "hints").text
    assert console_errors(browser) == []


def test_a_label_with_markup_is_text(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    look(browser, latent_space_page(embedding, NASTY, [[plane(embedding)]]), tmp_path)
    assert browser.find_element(By.CSS_SELECTOR, "#token h2").text == NASTY
    assert browser.find_element(By.TAG_NAME, "h1").text == NASTY
    assert console_errors(browser) == []


def test_a_token_is_found_by_name_with_its_weights_and_neighbours(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    look(browser, latent_space_page(embedding, "films", [[plane(embedding)]]), tmp_path)
    box = browser.find_element(By.ID, "search")
    box.clear()
    box.send_keys("FILM 07")
    assert browser.find_element(By.CSS_SELECTOR, "#token h2").text == "film 07"
    place = embedding.vocabulary.index("film 07")
    written = browser.find_element(By.CSS_SELECTOR, "#token svg").text
    for node, weight in enumerate(embedding.matrix[place], 1):
        assert f"node {node}: {weight:.3f}" in written
    named = [button.text for button in browser.find_elements(By.CSS_SELECTOR, "#token ol:first-of-type button")][:10]
    assert named == embedding.neighbours("film 07")["label"].to_list()
    marked = browser.execute_script(
        "const t = document.getElementById('plot').data.find(t => t.name === 'picked'); return [t.x[0], t.y[0]]"
    )
    assert marked == pytest.approx(plane(embedding).points[place].tolist(), abs=1e-5)
    browser.find_elements(By.CSS_SELECTOR, "#token ol button")[0].click()
    assert browser.find_element(By.CSS_SELECTOR, "#token h2").text == named[0]
    assert console_errors(browser) == []


def test_two_spaces_turn_side_by_side_coloured_by_effect(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    one = space(embedding)
    other = View("pca D=3", -one.points, one.axes)
    colour = Colour("what it does to price", np.linspace(-0.2, 0.3, 60))
    page = latent_space_page(embedding, "homes", [[one, other], [plane(embedding)]], colour=colour)
    look(browser, page, tmp_path)
    assert [(group["type"], group["n"]) for group in points(browser)] == [("scatter3d", 60)] * 2
    assert "what it does to price: \N{MINUS SIGN}20.0 %" in points(browser)[0]["first"]
    eye = "return document.getElementById('plot')._fullLayout.scene2.camera.eye.x"
    before = browser.execute_script(eye)
    WebDriverWait(browser, PATIENCE).until(lambda driver: driver.execute_script(eye) != before)
    browser.find_element(By.ID, "turn").click()
    assert browser.find_element(By.ID, "turn").text == "Turn"
    browser.execute_script(
        "const v = document.getElementById('view'); v.value = 1; v.dispatchEvent(new Event('change'))"
    )
    WebDriverWait(browser, PATIENCE).until(lambda _: [group["type"] for group in points(browser)] == ["scattergl"])
    assert console_errors(browser) == []


def test_ten_thousand_tokens_are_shown_and_more_are_declared(browser: Chrome, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    many = Embedding(
        Vocabulary.of({f"t{i:05d}": 20_000 - i for i in range(12_000)}),
        random.normal(size=(12_000, 2)).astype(np.float32),
    )
    look(browser, latent_space_page(many, "many", [[plane(many)]]), tmp_path)
    assert [group["n"] for group in points(browser)] == [10_000]
    assert "the 10,000 most frequent of 12,000 tokens" in browser.find_element(By.CSS_SELECTOR, "header p").text
    assert console_errors(browser) == []


def test_a_phone_shows_all_of_it(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    try:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True},
        )
        look(browser, latent_space_page(embedding, "films", [[plane(embedding)]]), tmp_path)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390
        assert browser.find_element(By.ID, "token").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
