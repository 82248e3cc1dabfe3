"""The page in a real browser, read from disk: what people see, find and press."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from docs.tour import console_errors, leave
from pipeline.embedding import Embedding
from pipeline.pictures.colours import Colour, Groups, Numbers, colours
from pipeline.pictures.names import shortened
from pipeline.pictures.projection import View, plane, space
from pipeline.similarity.nearest import nearest_tokens
from pipeline.similarity.stability import stability_of
from pipeline.views.pages.latent_space import latent_space_page
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.accessibility import serious_faults
from tests.conftest import PATIENCE

NASTY = "</script><b>Ünïcode & 'quotes' \"映画\"</b>"
ABOUT = pl.DataFrame(
    {"genres": ["War|Drama" if i % 2 else "Love" for i in range(60)], "year": [str(1940 + i) for i in range(60)]}
)
EFFECT = np.linspace(-0.2, 0.3, 60)
ADDS = Numbers("what it does to price", EFFECT, "diverging", [f"{value:+.1%}" for value in EFFECT])


@pytest.fixture
def embedding() -> Embedding:
    """60 tokens in two directions: those with an even number along the first axis, the others along the second."""
    random = np.random.default_rng(0)
    counts = {NASTY: 1000} | {f"film {i:02d}": 100 - i for i in range(1, 60)}
    matrix = random.normal(0, 0.05, (60, 4)).astype(np.float32)
    matrix[np.arange(60), np.arange(60) % 2] += 1
    return Embedding(Vocabulary.of(counts), matrix)


LONG = ["Alien (1979)", "Star Wars: Episode IV", "Would you recommend it=Hardly ever", "What is it=Something of mine",
        "a=b", "Where did you hear of us=", "kind=the one that is very long"]  # fmt: skip


@pytest.fixture(autouse=True)
def _calm(browser: Chrome) -> Iterator[None]:
    """Nothing glides or turns by itself, unless a test wants it."""
    media(browser)
    yield
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def media(browser: Chrome, motion: str = "reduce", scheme: str = "light") -> None:
    features = {"prefers-reduced-motion": motion, "prefers-color-scheme": scheme}
    wanted = [{"name": name, "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})


@contextmanager
def phone(browser: Chrome) -> Iterator[None]:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def look(browser: Chrome, page: str, tmp_path: Path) -> None:
    """Open a page from disk and wait until it is drawn."""
    leave(browser)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    until(browser, "document.body.dataset.ready === 'yes' && (!drawn || placed.length > 0)")


def until(browser: Chrome, truth: str) -> None:
    WebDriverWait(browser, PATIENCE).until(lambda driver: driver.execute_script(f"return {truth}"))


def films(
    embedding: Embedding, *panels: list[View], about: pl.DataFrame | None = ABOUT, effect: Colour | None = None
) -> str:
    counts = embedding.vocabulary.tokens["count"].to_numpy()
    by = [*([effect] if effect else []), *colours(pl.DataFrame() if about is None else about, counts, embedding.matrix)]
    return latent_space_page(embedding, "films: D=4", list(panels) or [[plane(embedding)]], about, by)


def title(browser: Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, "#token h2").text


def layer(browser: Chrome, name: str) -> Any:
    """The data of a layer that deck.gl draws."""
    return browser.execute_script(f"return drawn.props.layers.find(layer => layer.id === '{name}').props.data")


def test_points_colours_and_the_first_sentence_are_those_of_the_tokens(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    look(browser, films(embedding), tmp_path)
    assert layer(browser, "0-points")["length"] == 60
    legend = [button.text for button in browser.find_elements(By.CSS_SELECTOR, "#legend button")]
    assert legend == ["Drama", "Love"]  # of "War|Drama" the first by the alphabet, as both are equally telling
    first = browser.find_element(By.CSS_SELECTOR, "header p").text
    assert "tokens that are alike lie near each other" in first
    assert "all 60 tokens, D = 4" in first
    assert browser.find_element(By.TAG_NAME, "h1").text == "films: D=4"
    assert "genres: Love · year: 1940" in browser.find_element(By.CSS_SELECTOR, "#token p").text
    assert "↔" in browser.find_element(By.ID, "hints").text
    offered = [option.text for option in browser.find_elements(By.CSS_SELECTOR, "#colour option")]
    assert offered == ["colour: genres", "colour: year", "colour: count in training", "colour: none"]
    browser.find_element(By.CSS_SELECTOR, "#places summary").click()
    first = browser.find_element(By.CSS_SELECTOR, "#places button")
    told = first.text
    first.click()
    assert title(browser) == told
    assert console_errors(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(scheme: str, browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    media(browser, scheme=scheme)
    look(browser, films(embedding), tmp_path)
    browser.execute_script("pick(3); tell([1, 2]); document.querySelector('details').open = true")
    assert serious_faults(browser) == []
    paper = "return getComputedStyle(document.body).backgroundColor"
    assert (browser.execute_script(paper) == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_label_with_markup_is_text(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    look(browser, latent_space_page(embedding, NASTY, [[plane(embedding)]]), tmp_path)
    assert title(browser) == browser.find_element(By.TAG_NAME, "h1").text == NASTY
    box = browser.find_element(By.ID, "search")
    box.clear()
    box.send_keys("<b>no such film")
    assert "Nothing has “<b>no such film” in its name" in browser.find_element(By.ID, "nothing").text
    assert console_errors(browser) == []


def test_a_token_is_found_by_name_with_its_weights_and_neighbours(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    look(browser, films(embedding), tmp_path)
    box = browser.find_element(By.ID, "search")
    box.clear()
    box.send_keys("FILM 07")
    assert title(browser) == "film 07"
    place = embedding.vocabulary.index("film 07")
    written = browser.find_element(By.CSS_SELECTOR, "#token svg").text
    for node, weight in enumerate(embedding.matrix[place], 1):
        assert f"node {node}: {weight:.3f}" in written
    named = [button.text for button in browser.find_elements(By.CSS_SELECTOR, "#token ol:first-of-type button")][:10]
    assert named == embedding.neighbours("film 07")["label"].to_list()
    assert [embedding.vocabulary.labels[i] for i in layer(browser, "0-joins")] == named  # lit, and joined to it
    assert layer(browser, "0-rings")[0] == place
    browser.find_elements(By.CSS_SELECTOR, "#token ol button")[0].click()
    assert title(browser) == named[0]
    assert console_errors(browser) == []


def test_long_names_among_the_neighbours_go_on_in_a_new_line_between_their_words(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    words = {f"basement_exposure=walk_out_or_garden_level_{i}": 100 - i for i in range(60)}
    with phone(browser):
        look(browser, films(Embedding(Vocabulary.of(words), embedding.matrix), about=None), tmp_path)
        named = browser.find_element(By.CSS_SELECTOR, "#token ol button")
        parts = browser.execute_script(
            """const range = document.createRange();
            return [...arguments[0].childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => {
                range.selectNode(node);
                return [node.data, range.getClientRects().length];
            })""",
            named,
        )
    assert "".join(part for part, _ in parts) in words
    assert {lines for _, lines in parts} == {1}


def test_a_token_is_joined_to_its_neighbours_where_they_lie_in_each_view(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    one = plane(embedding)
    look(browser, films(embedding, [one], [replace(one, name="mirrored", points=-one.points)]), tmp_path)
    ends = """
        const layer = drawn.layerManager.getLayers().find(layer => layer.id === '0-joins');
        const {attributes} = layer.getAttributeManager();
        const ends = ['instanceSourcePositions', 'instanceTargetPositions'];
        return ends.map(name => [...attributes[name].value.slice(0, 3)])"""
    browser.execute_script("pick(5)")
    for view in (0, 1):
        browser.execute_script(f"turnTo({view}); draw()")
        lie = browser.execute_script("return [picked, lit[0]].map(i => place(shown[0], i))")
        WebDriverWait(browser, PATIENCE).until(
            lambda page, lie=lie: np.allclose(page.execute_script(ends), lie, atol=1e-5), f"view {view}"
        )


def test_a_neighbour_that_all_replicas_support_looks_different_from_one_that_none_does(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    nearest = nearest_tokens(embedding.matrix, embedding.counts)
    other = np.where(np.arange(10) < 3, -1, nearest)  # each replica but the last lacks the three nearest
    known = replace(embedding, stability=stability_of(nearest, [other, other, other, nearest]))
    stability = known.stability.scores if known.stability else None
    by = colours(ABOUT, embedding.counts, embedding.matrix, stability)
    look(browser, latent_space_page(known, "films: D=4", [[plane(known)]], ABOUT, by), tmp_path)
    browser.execute_script("pick(5)")
    bars = browser.find_elements(By.CSS_SELECTOR, "#token .holds")
    assert [bar.get_attribute("aria-label") for bar in bars] == [
        *["in 1 of 4 replicas"] * 3,
        *["in 4 of 4 replicas"] * 7,
    ]
    assert "Two halves of the examples agree on 70% of them" in browser.find_element(By.ID, "token").text
    assert len({bar.value_of_css_property("background-image") for bar in bars}) == 2
    offered = [option.text for option in browser.find_elements(By.CSS_SELECTOR, "#colour option")]
    assert "colour: stability of the nearest" in offered
    assert serious_faults(browser) == []
    assert console_errors(browser) == []


def test_on_demand_each_replica_s_places_are_seen_with_an_ellipse_on_a_plane(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    """Planted: token 5 lies in four places around its own, token 7 where it is; one replica has not learned token 5."""
    moved = np.repeat(embedding.matrix[None], 5, axis=0)
    moved[:4, 5, :2] += [[0.3, 0], [-0.3, 0], [0, 0.2], [0, -0.2]]
    moved[4, 5] = np.nan
    nearest = nearest_tokens(embedding.matrix, embedding.counts)
    known = replace(embedding, stability=stability_of(nearest, [nearest] * 4))
    panels = [[View("neighbourhoods", plane(embedding).points, ("", ""), has_axes=False)]]
    panels += [[plane(known, replicas=moved)], [space(known, replicas=moved)]]
    look(browser, films(known, *panels), tmp_path)
    button, said = browser.find_element(By.ID, "spread"), browser.find_element(By.ID, "spread_says")
    browser.execute_script("pick(5)")
    assert not button.is_displayed()  # this map has no place for them
    assert layer(browser, "0-points")["length"] == 60
    for panel in (1, 2):
        browser.execute_script(f"turnTo({panel}); draw()")
        assert button.is_displayed()
        assert button.get_attribute("aria-pressed") == "false"
        assert not said.is_displayed()
        button.click()
        assert "4 replicas, each learned from half of the examples" in said.text
        dots = layer(browser, "0-spread")
        assert sum(dot["i"] == 5 for dot in dots) == 4
        assert len(dots) == 4 + 10 * 5  # the ten nearest too
        lines = layer(browser, "0-ellipses")
        assert ("ellipse" in said.text) == (panel == 1) == (len(lines) > 0)
        assert serious_faults(browser) == []
        button.click()
    around = browser.execute_script("return ellipse([[.3, 0, 0], [-.3, 0, 0], [0, .2, 0], [0, -.2, 0]])")
    half = np.sqrt(2 * np.log(2) * np.array([2 * 0.3**2 / 3, 2 * 0.2**2 / 3]))  # chi^2 of two: half of the mass
    np.testing.assert_allclose(np.max([line[0] for line in around], axis=0), [*half, 0], rtol=1e-3)
    assert console_errors(browser) == []


def test_the_search_works_by_keyboard_and_names_the_nearest_without_a_hit(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    look(browser, films(embedding), tmp_path)
    box = browser.find_element(By.ID, "search")
    box.clear()
    box.send_keys("film 1", Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    assert title(browser) == "film 11"
    assert not browser.find_element(By.ID, "found").is_displayed()
    box.clear()
    box.send_keys("flim 23")
    offered = [option.text for option in browser.find_elements(By.CSS_SELECTOR, "[role=option]")]
    assert offered[0] == "film 23"
    box.send_keys(Keys.ENTER)
    assert title(browser) == "film 23"


def test_labels_do_not_collide_at_any_zoom_and_a_hidden_group_hides_its_own(
    browser: Chrome, embedding: Embedding, tmp_path: Path
) -> None:
    look(browser, films(embedding), tmp_path)
    plot = browser.find_element(By.ID, "plot")
    for keys in ("", "+", "--" + Keys.ARROW_LEFT, "0"):
        plot.send_keys(keys)
        until(browser, "Math.abs(drawn.getViewports()[0].zoom - states[0].zoom) < 1e-6")
        boxes = browser.execute_script(
            "writeLabels(); return placed.filter(label => label.token !== picked).map(label => label.box)"
        )
        assert boxes
        for i, (left, top, right, bottom) in enumerate(boxes):
            for other in boxes[:i]:
                assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom
    assert len(boxes) > 3  # the last key shows the whole map again
    browser.find_element(By.XPATH, "//div[@id='legend']/button[normalize-space()='Love']").click()
    browser.execute_script("picked = null; lit = []; writeLabels()")
    shown = browser.execute_script("return placed.map(label => label.token ?? null).filter(i => i !== null)")
    assert shown
    assert all(token % 2 for token in shown)


def test_a_region_is_selected_as_a_list_to_copy(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    look(browser, films(embedding), tmp_path)
    browser.find_element(By.ID, "select").click()
    canvas = browser.find_element(By.ID, "labels")
    wide, high = canvas.size["width"] - 24, canvas.size["height"] - 24
    hand = ActionChains(browser).move_to_element_with_offset(canvas, -wide // 2, -high // 2).click_and_hold()
    for step in ((wide, 0), (0, high), (-wide, 0)):
        hand.move_by_offset(*step)
    hand.release().perform()
    assert browser.find_element(By.ID, "selected").text == "60 tokens in the region"
    listed = browser.find_element(By.ID, "names").get_attribute("value").splitlines()
    assert sorted(listed) == sorted(embedding.vocabulary.labels)
    browser.find_element(By.ID, "copy").click()
    until(browser, "document.getElementById('copied').textContent !== ''")
    assert browser.find_element(By.ID, "select").get_attribute("aria-pressed") == "false"


def test_an_analogy_goes_from_b_to_a_at_c(browser: Chrome, tmp_path: Path) -> None:
    """A planted square: what king is to man, queen is to woman."""
    corners = {"king": [1, 1, 0], "man": [1, 0, 0], "woman": [-1, 0, 0.1], "queen": [-1, 1, 0.1], "boat": [0, 0, -1]}
    royal = Embedding(
        Vocabulary.of({word: 9 - i for i, word in enumerate(corners)}), np.array([*corners.values()], np.float32)
    )
    page = latent_space_page(royal, "words", [[plane(royal)]])
    look(browser, page, tmp_path)
    browser.find_element(By.CSS_SELECTOR, "aside summary").click()
    for name, word in zip("abc", ("king", "man", "woman"), strict=True):
        browser.find_element(By.ID, name).send_keys(word, Keys.TAB)
    assert browser.find_element(By.CSS_SELECTOR, "#answer button").text == "queen"
    assert "by distance" in browser.find_element(By.ID, "token").text  # with three coordinates angles say little


def test_two_spaces_turn_side_by_side_coloured_by_effect(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    media(browser, motion="no-preference")
    one = space(embedding)
    other = View("pca D=3", -one.points, one.axes)
    look(browser, films(embedding, [one, other], [plane(embedding)], about=None, effect=ADDS), tmp_path)
    assert [layer(browser, f"{p}-points")["length"] for p in (0, 1)] == [60, 60]
    assert title(browser) == "film 59"  # what does most to the price
    assert "what it does to price: +30.0%" in browser.find_element(By.CSS_SELECTOR, "#token p").text
    assert "what it does to price" in browser.find_element(By.ID, "legend").text
    angle = "states[1].rotationOrbit"
    before = browser.execute_script(f"return {angle}")
    until(browser, f"{angle} !== {before}")
    assert browser.execute_script("return states[0].rotationOrbit === states[1].rotationOrbit")
    browser.find_element(By.ID, "turn").click()
    assert browser.find_element(By.ID, "turn").text == "Turn"
    browser.execute_script("const v = byId('view'); v.value = 1; v.dispatchEvent(new Event('change'))")
    assert not browser.find_element(By.ID, "turn").is_displayed()
    assert console_errors(browser) == []


def test_a_token_that_few_examples_tell_of_is_not_looked_at_first(browser: Chrome, tmp_path: Path) -> None:
    embedding = Embedding(Vocabulary.of({"often": 500, "seldom": 2}), np.eye(2, 3, dtype=np.float32))
    adds = Numbers("what it does to price", np.array([0.1, 0.2]), "diverging", ["+10%", "+20%"])
    look(browser, films(embedding, [plane(embedding)], about=None, effect=adds), tmp_path)
    assert title(browser) == "often"


def test_more_tokens_than_a_page_has_are_declared_and_lie_under_it_as_clouds(browser: Chrome, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    many = Embedding(
        Vocabulary.of({f"t{i:05d}": 20_000 - i for i in range(12_000)}),
        random.normal(size=(12_000, 200)).astype(np.float32),
    )
    look(browser, latent_space_page(many, "many", [[plane(many, 5_000)]]), tmp_path)
    assert layer(browser, "0-points")["length"] == 5_000  # a million coordinates
    first = browser.find_element(By.CSS_SELECTOR, "header p").text
    assert "the 5,000 most frequent of 12,000 tokens" in first
    assert "the others of a plane are the grey clouds" in first
    assert browser.execute_script("return drawn.props.layers[0].id") == "0-cloud"
    assert console_errors(browser) == []


@pytest.mark.parametrize("dimension", [1, 3])
def test_a_phone_shows_all_of_it(dimension: int, browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    narrow = Embedding(embedding.vocabulary, embedding.matrix[:, :dimension])
    panels = [[space(narrow), space(narrow)]] if dimension == 3 else [[plane(narrow)]]
    with phone(browser):
        look(browser, films(narrow, *panels), tmp_path)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        assert browser.find_element(By.ID, "token").is_displayed()
        areas = browser.execute_script("return drawn.getViewports().map(v => [v.x, v.y, v.width, v.height])")
        assert all(x == 0 and width > 300 for x, _, width, _ in areas)  # one above the other
        assert browser.execute_script("return byId('legend').offsetTop >= plot.offsetTop + plot.offsetHeight")
        ends = browser.find_element(By.ID, "ends")
        assert not ends.get_attribute("open")  # so that the chosen token follows the map
        ends.find_element(By.TAG_NAME, "summary").click()
        assert browser.find_element(By.ID, "hints").is_displayed()


@pytest.mark.parametrize("values", [np.zeros((1, 1)), np.ones((2, 2)), np.zeros((50, 3))])
def test_odd_embeddings_have_a_page(values: np.ndarray, browser: Chrome, tmp_path: Path) -> None:
    """One token, tokens in one place, and labels that are the same."""
    tokens = pl.DataFrame({"token": [f"t{i}" for i in range(len(values))], "label": ["same"] * len(values)})
    counts = pl.Series("count", [1] * len(values), dtype=pl.UInt32)
    odd = Embedding(Vocabulary.of_frame(tokens.with_columns(counts)), values.astype(np.float32))
    panels = [[plane(odd)], *([[space(odd)]] if values.shape[1] > 2 else [])]
    look(browser, latent_space_page(odd, "odd", panels, by=[Groups("kind", ["other"] * len(values))]), tmp_path)
    assert title(browser) == "same"
    assert console_errors(browser) == []


def test_without_webgl_it_says_so_and_the_rest_works(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    source = {"source": "HTMLCanvasElement.prototype.getContext = () => null"}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        look(browser, films(embedding), tmp_path)
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    assert "This browser has no WebGL" in browser.find_element(By.ID, "plot").text
    browser.find_element(By.ID, "search").clear()
    browser.find_element(By.ID, "search").send_keys("film 05")
    assert title(browser) == "film 05"
    assert console_errors(browser) == []


def test_names_are_cut_on_the_page_as_on_pictures(browser: Chrome, embedding: Embedding, tmp_path: Path) -> None:
    look(browser, latent_space_page(embedding, "films", [[plane(embedding)]]), tmp_path)
    cut = browser.execute_script("return arguments[0].map(name => short(name, 20))", LONG)
    assert cut == [shortened(name, 20) for name in LONG]
    assert cut[2:4] == ["Would y…=Hardly ever", "What …=Something of…"]
