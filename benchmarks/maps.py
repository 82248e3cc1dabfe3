"""How large the page of a latent space is, and how soon it is drawn, in a browser without a graphics card."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

from docs.tour import WAIT, open_browser
from pipeline.embedding import Embedding
from pipeline.pictures.colours import colours
from pipeline.pictures.projection import plane, space
from pipeline.views.pages.latent_space import latent_space_page, n_shown
from pipeline.vocabulary.vocabulary import Vocabulary

SIZES = ((3_500, 32), (1_000_000, 2), (1_000_000, 64))
"""Tokens and dimensions."""
REPEATS = 3
_GENRES = ("Action", "Comedy", "Drama", "Horror", "Sci-Fi", "War")


def generated(n: int, dimension: int) -> tuple[Embedding, pl.DataFrame]:
    """An embedding of n tokens around six middles, with popularity as it is in the world, and the middle of each."""
    random = np.random.default_rng(0)
    of = random.integers(0, len(_GENRES), n)
    matrix = random.normal(size=(len(_GENRES), dimension))[of] * 2 + random.normal(size=(n, dimension))
    counts = (n / np.arange(1, n + 1)).astype(np.uint32) + 1
    tokens = pl.DataFrame(
        {"token": np.arange(n).astype(str), "label": [f"Film number {i}" for i in range(n)], "count": counts}
    )
    return Embedding(Vocabulary.of_frame(tokens), matrix.astype(np.float32)), pl.DataFrame(
        {"genre": [_GENRES[g] for g in of]}
    )


def page_of(embedding: Embedding, about: pl.DataFrame) -> str:
    """The page, with a plane, and a space if there are three dimensions."""
    n = n_shown(embedding)
    panels = [[plane(embedding, n)], *([[space(embedding, n)]] if embedding.dimension >= 3 else [])]
    by = colours(about.head(n), embedding.vocabulary.tokens["count"].to_numpy()[:n], embedding.matrix[:n])
    return latent_space_page(embedding, "films", panels, about, by)


def seconds_to_draw(browser: Chrome, path: Path) -> float:
    """From the address to the first picture with its labels."""
    browser.get("about:blank")
    start = time.perf_counter()
    browser.get(path.as_uri())
    drawn = "return document.body.dataset.ready === 'yes' && placed.length > 0"
    WebDriverWait(browser, WAIT, poll_frequency=0.02).until(lambda driver: driver.execute_script(drawn))
    return time.perf_counter() - start


def drawn() -> dict[str, Any]:
    """The table: tokens, dimensions, tokens in the page, its size, and the median seconds until it is drawn."""
    rows = [["tokens V", "D", "of them points", "page, MB", "until it is drawn, s"]]
    with tempfile.TemporaryDirectory() as folder:
        for n, dimension in SIZES:
            embedding, about = generated(n, dimension)
            path = Path(folder) / f"{n}_{dimension}.html"
            path.write_text(page_of(embedding, about), encoding="utf-8")
            profile = Path(folder) / f"profile_{n}_{dimension}"
            browser = open_browser(profile)
            try:
                taken = float(np.median([seconds_to_draw(browser, path) for _ in range(REPEATS)]))
            finally:
                browser.quit()
            megabytes = path.stat().st_size / 1e6
            rows.append([f"{n:,}", str(dimension), f"{n_shown(embedding):,}", f"{megabytes:.1f}", f"{taken:.1f}"])
            print(f"{n:,} tokens, D={dimension}: {megabytes:.1f} MB, {taken:.1f} s", flush=True)
    notes = [f"medians of {REPEATS} openings of a file in Chromium, which draws WebGL on the processor"]
    return {"title": "maps: the page of a latent space", "tables": [rows], "notes": notes}
