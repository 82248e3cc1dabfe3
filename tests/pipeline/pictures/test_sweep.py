from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from pipeline.pictures import sweep
from pipeline.pictures.sweep import draw_sweep

METHODS = ["embedding", "pca"]


def fit(method: str, dimension: int, value: float) -> dict[str, object]:
    name = f"{method} D={dimension}" if method in METHODS else method
    return {
        "dataset": "films", "method": method, "dimension": dimension, "fit": name, "fit_seconds": 1.0,
        "recall": value, "recall_low": value - 0.02, "recall_high": value + 0.02,
    }  # fmt: skip


def told(against: str, value: float, verdict: str = "better") -> dict[str, object]:
    return {
        "fit": "embedding D=8", "against": against, "metric": "recall", "difference": value, "low": value - 0.01,
        "high": value + 0.01, "verdict": verdict,
    }  # fmt: skip


FRAME = pl.DataFrame(
    [
        fit("embedding", 2, 0.3),
        fit("embedding", 8, 0.4),
        fit("pca", 2, 0.2),
        fit("pca", 16, 0.25),
        fit("ease", 1, 0.395),
        fit("als", 1, 0.394),
        fit("popularity", 1, -3.0),
    ]
)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """The picture of the planted contest, before it becomes a file."""
    kept: list[Figure] = []
    monkeypatch.setattr(sweep, "save", lambda figure, _: kept.append(figure))
    rows = [told("pca D=2", 0.1), told("ease", 0.01, "no difference shown"), told("als", 0.02), told("popularity", 3.4)]
    draw_sweep(FRAME, METHODS, "recall", True, 8, 4.0, rows, tmp_path / "sweep.png")
    kept[0].draw_without_rendering()
    return kept[0]


def test_it_says_which_direction_is_better_which_d_is_best_and_names_every_fit(drawn: Figure) -> None:
    quality = drawn.axes[0]
    assert quality.get_title(loc="left") == "films: recall against D, higher is better"
    texts = [text.get_text() for text in quality.texts]
    assert {"D = 8, best on validation", "embedding", "pca", "ease", "als", "popularity -3 ↓"} <= set(texts)
    assert [tick.get_text() for tick in quality.get_xticklabels()] == ["2", "8", "16"]


def test_a_fit_that_is_far_off_does_not_squash_the_others(drawn: Figure) -> None:
    low, high = drawn.axes[0].get_ylim()
    assert -0.1 < low < 0.18 < 0.42 < high < 0.6
    paired = drawn.axes[1]
    assert paired.get_xlim()[1] < 0.5
    assert "+3.4" in [text.get_text() for text in paired.texts]


def test_names_beside_the_axes_do_not_cover_each_other(drawn: Figure) -> None:
    heights = sorted(text.get_position()[1] for text in drawn.axes[0].texts if text.get_position()[0] == 1.01)
    assert len(heights) == 5
    assert min(np.diff(heights)) > 0.05


@pytest.mark.parametrize("chosen", [None, 2])
def test_a_contest_without_other_baselines_or_pairs_is_drawn(chosen: int | None, tmp_path: Path) -> None:
    draw_sweep(FRAME[:2], METHODS, "recall", False, chosen, 4.0, [], tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").stat().st_size > 10_000


def test_a_difference_outside_its_interval_is_drawn(tmp_path: Path) -> None:
    outside = told("pca D=2", 0.1) | {"low": 0.11, "high": 0.12}
    draw_sweep(FRAME, METHODS, "recall", True, 8, 4.0, [outside], tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").stat().st_size > 10_000


def test_verdicts_are_said_in_words_and_numbers_do_not_cover_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(sweep, "save", lambda figure, _: kept.append(figure))
    rows = [told("pca D=2", -0.0178, "too few to tell"), told("ease", -0.0005, "no difference shown")]
    draw_sweep(FRAME, METHODS, "recall", True, 8, 4.0, rows, tmp_path / "sweep.png")
    kept[0].draw_without_rendering()
    paired = kept[0].axes[1]
    said = [label.get_text() for label in paired.get_yticklabels()]
    assert said == ["embedding D=8 - ease: no difference", "embedding D=8 - pca D=2: too few"]
    left, right = paired.get_xlim()
    places = [
        label.get_window_extent() for label in paired.get_xticklabels() if left <= label.get_position()[0] <= right
    ]
    assert all(one.x1 < other.x0 for one, other in pairwise(places))


def test_on_a_phone_the_words_stand_above_what_they_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(sweep, "save", lambda figure, _: kept.append(figure))
    rows = [told("pca D=2", 0.1), told("ease", 0.01, "no difference shown")]
    draw_sweep(FRAME, METHODS, "recall", True, 8, 4.0, rows, tmp_path / "narrow.png", is_narrow=True)
    kept[0].draw_without_rendering()
    quality, paired, cost = kept[0].axes
    assert quality.bbox.y0 > paired.bbox.y1 > paired.bbox.y0 > cost.bbox.y1
    ease, pca = (text for text in paired.texts if text.get_text().startswith("embedding"))
    assert (ease.get_text(), pca.get_text()) == (
        "embedding D=8 - ease: no difference",
        "embedding D=8 - pca D=2: better",
    )
    assert 0 < ease.get_position()[1] < 1 < pca.get_position()[1]
