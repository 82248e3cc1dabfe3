from pathlib import Path

from pipeline.comparison import Comparison
from pipeline.fitting import Fit


def fit(method: str, dimension: int, part: str = "test") -> Fit:
    metrics = {f"{part}_recall_at_20": 0.1 * dimension, f"{part}_ndcg_at_20": 0.5, "fit_seconds": 1234.5}
    return Fit("films", method, dimension, f"run-{method}-{dimension}", "1", False, metrics)


FITS = [fit("embedding", 8), fit("embedding", 2), fit("pca", 8), fit("pca", 2), fit("popularity", 1)]


def test_the_table_puts_equal_d_side_by_side_and_ends_with_what_it_was_measured_on() -> None:
    assert Comparison.of(FITS, 10_000).text().splitlines() == [
        "films          recall_at_20  ndcg_at_20   fit, s",
        "------------------------------------------------",
        "popularity           0.1000      0.5000  1,234.5",
        "embedding D=2        0.2000      0.5000  1,234.5",
        "pca D=2              0.2000      0.5000  1,234.5",
        "embedding D=8        0.8000      0.5000  1,234.5",
        "pca D=8              0.8000      0.5000  1,234.5",
        "measured on the test examples; fourth root of V = 10,000: D = 10.0",
    ]


def test_the_markdown_is_short_enough_to_show_inline() -> None:
    """Dagster hides a table of 1,000 characters or more behind a click."""
    markdown = Comparison.of(FITS, 10_000).markdown()
    assert markdown.splitlines()[:2] == ["|films|recall_at_20|ndcg_at_20|fit, s|", "|---|--:|--:|--:|"]
    assert len(markdown) < 1000


def test_without_test_examples_the_validation_ones_are_shown_and_named() -> None:
    comparison = Comparison.of([fit("pca", 2, part="validation")], 16)
    assert comparison.part == "validation"
    assert "measured on the validation examples" in comparison.text()


def test_without_any_held_out_example_the_table_says_so() -> None:
    fits = [Fit("films", "pca", 2, "run", "1", False, {"fit_seconds": 1.0})]
    assert "measured on the no examples" not in Comparison.of(fits, 16).text()
    assert "no example is held out, so nothing was measured" in Comparison.of(fits, 16).text()


def test_saving_and_loading(tmp_path: Path) -> None:
    comparison = Comparison.of(FITS, 10_000)
    comparison.save(tmp_path)
    assert Comparison.load(tmp_path).text() == comparison.text()
