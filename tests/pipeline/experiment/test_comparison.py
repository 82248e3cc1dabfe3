from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.tasks.regression import Regression
from pipeline.views import tables

TASK = MissingTokens(kind="missing_tokens")
N = 400
BASE = np.random.default_rng(0).uniform(0.1, 0.6, N)


def fit(method: str, dimension: int) -> Fit:
    return Fit("films", method, dimension, f"run-{method}-{dimension}", "1", False, {"fit_seconds": 1234.5})


def scores(shift: float, noise: float = 0.02, seed: int = 1) -> pl.DataFrame:
    """Scores of a fit that is better than the others by exactly `shift` in each metric, on average."""
    differing = np.random.default_rng(seed).normal(0, noise, N)
    columns = {name: BASE + shift + differing - differing.mean() for name in ("recall_at_20", "ndcg_at_20")}
    return pl.DataFrame({"example": [f"e{i}" for i in range(N)], **columns})


PLANTED = [
    (fit("embedding", 8), scores(0.20, seed=2)),
    (fit("embedding", 2), scores(0.10, seed=3)),
    (fit("pca", 2), scores(0.0, seed=4)),
    (fit("pca", 8), scores(0.08, seed=5)),
    (fit("pca", 16), scores(0.15, seed=6)),
    (fit("popularity", 1), scores(-0.05, seed=7)),
    (fit("ease", 1), scores(0.20, seed=8)),
]
FITS, SCORES = [fit for fit, _ in PLANTED], [frame for _, frame in PLANTED]


def unwrapped(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def planted() -> Comparison:
    return Comparison.of(FITS, 10_000, TASK, {"validation": SCORES, "test": SCORES})


def test_the_table_puts_other_baselines_first_and_equal_d_side_by_side(planted: Comparison) -> None:
    told, table, *_ = tables.text(planted).split("\n\n")
    assert told.startswith("films: Take D=8")
    head, rule, *rows = table.splitlines()
    assert head.split() == ["films", "recall_at_20", "ndcg_at_20", "fit,", "s"]
    assert set(rule) == {"-"}
    names = ["popularity", "ease", "embedding D=2", "pca D=2", "embedding D=8", "pca D=8", "pca D=16"]
    assert [row[:13].strip() for row in rows[:7]] == names
    recall = planted.frame["recall_at_20"][0]
    assert f"{recall:.4f} ±.01" in rows[0]  # sd of the examples .14, so 1.96 x .14 / sqrt(400)


def test_learned_is_told_against_pca_of_the_same_d_and_the_d_to_take_against_each_other_baseline(
    planted: Comparison,
) -> None:
    assert planted.told_pairs() == [
        ("embedding D=2", "pca D=2"),
        ("embedding D=8", "pca D=8"),
        ("embedding D=8", "popularity"),
        ("embedding D=8", "ease"),
    ]
    told = {pair: planted.verdict(*pair, "recall_at_20") for pair in planted.told_pairs()}
    assert [found["verdict"] for found in told.values()] == ["better"] * 3 + ["no difference shown"]
    first = told["embedding D=2", "pca D=2"]
    assert first["low"] < 0.1 < first["high"]
    assert f"better {first['difference']:+.4f} [{first['low']:+.4f}, {first['high']:+.4f}]" in tables.text(planted)


def test_the_d_to_take_is_told_against_other_baselines() -> None:
    """D=2 is as good as D=8 on validation, up to a standard error: the answer and the verdicts speak of it."""
    fits = [fit("embedding", 2), fit("embedding", 8), fit("popularity", 1)]
    frames = [scores(0.1999, seed=2), scores(0.2, seed=3), scores(0.0, seed=4)]
    compared = Comparison.of(fits, 10_000, TASK, {"validation": frames, "test": frames})
    assert (compared.about["best"], compared.taken) == (8, 2)
    assert compared.told_pairs() == [("embedding D=2", "popularity")]
    assert Comparison.of(fits, 10_000, TASK, {"test": frames}).told_pairs() == [("embedding D=8", "popularity")]


def test_figures_of_a_tiny_unit_are_told_in_digits_that_are_not_0() -> None:
    target = np.random.default_rng(0).uniform(1e-9, 9e-9, N)
    fits, errors = [fit("embedding", 2), fit("mean", 1)], (1e-10, 2e-9)
    frames = [
        pl.DataFrame({"example": [f"e{i}" for i in range(N)], "target": target, "predicted": target + error})
        for error in (np.random.default_rng(i).choice([-error, error], N) for i, error in enumerate(errors))
    ]
    task = Regression(kind="regression", target="mol", log=False)
    compared = Comparison.of(fits, 100, task, {"validation": frames, "test": frames})
    assert [row[1] for row in tables.cells(compared)[1:]] == [
        "0.00000000200 ±.00000000000",
        "0.00000000010 ±.00000000000",
    ]
    assert tables.verdict_cells(compared, 1)[1][2].startswith("better -0.00000000190 [-0.00000000190, -0.0000000")


def test_a_fit_that_failed_takes_no_digits_from_the_others() -> None:
    """Planted: ridge is off by a million, the others by 0.1 and 0.2."""
    target = np.random.default_rng(0).uniform(1, 9, N)
    fits, errors = [fit("embedding", 2), fit("mean", 1), fit("ridge", 1)], (0.1, 0.2, 1e6)
    frames = [
        pl.DataFrame({"example": [f"e{i}" for i in range(N)], "target": target, "predicted": target + error})
        for error in errors
    ]
    task = Regression(kind="regression", target="mol", log=False)
    for n in (2, 3):  # the middle one of two is the smaller
        some = ([fits[0], fits[2]], [frames[0], frames[2]]) if n == 2 else (fits, frames)
        compared = Comparison.of(some[0], 100, task, {"validation": some[1], "test": some[1]})
        told = {row[0]: row[1] for row in tables.cells(compared)[1:]}
        assert told["embedding D=2"] == "0.1000 ±.0000"
        assert told["ridge"] == "1,000,000 ±0"
        assert tables.verdict_cells(compared, 1)[-1][2].startswith("better -1,000,000 [-1,000,000")


def test_the_differences_go_both_ways(planted: Comparison) -> None:
    there = planted.verdict("pca D=2", "embedding D=8", "ndcg_at_20")
    back = planted.verdict("embedding D=8", "pca D=2", "ndcg_at_20")
    assert (there["verdict"], back["verdict"]) == ("worse", "better")
    assert there["difference"] == pytest.approx(-back["difference"])
    assert planted.differences.height == 7 * 6 * 2


def test_it_says_how_many_dimensions_of_pca_a_learned_one_is_worth(planted: Comparison) -> None:
    assert planted.about["worth"] == {2: 16, 8: None}
    text = tables.text(planted)
    assert "PCA needs D=16 for the recall_at_20 of embedding D=2." in text
    assert "PCA does not reach the recall_at_20 of embedding D=8 up to D=16." in text


def test_the_smallest_d_that_is_not_worse_by_one_standard_error_is_chosen_on_validation() -> None:
    """D = 2 is worse by far, D = 4 by less than the noise of 400 examples, .02 sqrt(2 / 400) = .0014."""
    fits = [fit("embedding", d) for d in (2, 4, 8, 16)]
    validation = [scores(shift, seed=i) for i, shift in enumerate((0.1, 0.1995, 0.2, 0.198))]
    test = [scores(0.0, seed=9)] * 4
    about = Comparison.of(fits, 10_000, TASK, {"validation": validation, "test": test}).about
    assert (about["best"], about["smallest"]) == (8, 4)


def test_the_best_fit_stands_first_and_the_best_value_of_each_metric_is_known(planted: Comparison) -> None:
    ranked = tables.ranked_cells(planted)
    recalls = [float(row[1].split()[0]) for row in ranked.cells[1:]]
    assert recalls == sorted(recalls, reverse=True)
    assert sorted(map(tuple, ranked.cells)) == sorted(map(tuple, tables.cells(planted)))
    for row, column in ranked.best:
        values = [float(cells[column].split()[0]) for cells in ranked.cells[1:]]
        assert values[row] == max(values)
    assert {column for _, column in ranked.best} == {1, 2}


def test_of_fits_that_are_equally_good_each_is_the_best() -> None:
    """No method stands out that finds no more than others."""
    some = [
        frame.with_columns(ndcg_at_20=pl.lit(share)) for frame, share in zip(SCORES[:3], (0.5, 0.5, 0.4), strict=True)
    ]
    ranked = tables.ranked_cells(Comparison.of(FITS[:3], 16, TASK, {"test": some}))
    names = {row: cells[0] for row, cells in enumerate(ranked.cells[1:])}
    assert {names[row] for row, column in ranked.best if column == 2} == {"embedding D=8", "embedding D=2"}


def test_no_signal_is_said(planted: Comparison) -> None:
    assert "No signal shown" not in tables.text(planted)
    fits = [fit("embedding", 8), fit("popularity", 1)]
    frames = [scores(0.0, seed=2), scores(0.0, seed=3)]
    text = unwrapped(tables.text(Comparison.of(fits, 16, TASK, {"validation": frames, "test": frames})))
    assert "No signal shown by recall_at_20: no learned embedding is shown to be better than popularity" in text


def test_it_says_which_metrics_tell_nothing_because_all_tokens_are_among_the_first() -> None:
    """Of 18 tokens all are among the first 20, whichever fit ranks them."""
    full = [frame.with_columns(recall_at_20=1.0, recall_at_50=1.0) for frame in SCORES]
    said = tables.sentences(Comparison.of(FITS, 18, TASK, {"validation": full, "test": full}))
    words = "are 1 for every fit: they tell nothing where so few tokens, V = 18, are ranked."
    assert f"recall_at_20 and recall_at_50 {words}" in said
    one = [frame.with_columns(recall_at_50=1.0) for frame in SCORES]
    said = tables.sentences(Comparison.of(FITS, 45, TASK, {"validation": one, "test": one}))
    assert "recall_at_50 is 1 for every fit: it tells nothing where so few tokens, V = 45, are ranked." in said


def test_it_says_by_what_tokens_count_and_which_methods_do_not_look_at_them(planted: Comparison) -> None:
    assert "A token counts" not in tables.text(planted)
    pricing = [fit("embedding", 8), fit("boosted_trees", 1), fit("mean", 1)]
    weighted = Comparison.of(pricing, 16, TASK, {"validation": [], "test": SCORES[:3]}, "minutes")
    said = "A token counts by the logarithm of minutes, in every method, except"
    assert f"{said} boosted_trees and mean, which do not look" in unwrapped(tables.text(weighted))
    priced = Comparison.of([pricing[0], pricing[2]], 16, TASK, {"validation": [], "test": SCORES[:2]}, "minutes")
    assert f"{said} mean, which does not look" in unwrapped(tables.text(priced))
    assert "Held-out tokens all count the same" in unwrapped(tables.text(weighted))
    price = Regression(kind="regression", target="price")
    of_homes = pl.DataFrame({"example": [str(i) for i in range(20)], "target": np.arange(20.0) + 1, "predicted": 1.0})
    homes = Comparison.of(pricing[:2], 16, price, {"validation": [], "test": [of_homes] * 2}, "minutes")
    assert "A token counts as much as minutes says, in every method" in unwrapped(tables.text(homes))
    assert "Held-out tokens" not in tables.text(homes)


def test_it_says_what_a_method_cannot_see(planted: Comparison) -> None:
    """To be better than trees that have only three numbers says little of an embedding of words."""
    said = "boosted_trees see no tokens: they grow from the dense features alone."
    assert said not in tables.sentences(planted)
    trees = Comparison.of([fit("embedding", 8), fit("boosted_trees", 1)], 16, TASK, {"test": SCORES[:2]})
    assert said in tables.sentences(trees)


def test_it_says_how_time_divides_what_was_tested() -> None:
    said = "By sold: trained on what came until 2009-12-31, tested on what came after that."
    dated = Comparison.of(FITS, 10_000, TASK, {"validation": SCORES, "test": SCORES}, split=said)
    assert said in unwrapped(tables.text(dated))


def test_the_tables_show_as_many_metrics_as_fit_and_the_primary_one_at_least(planted: Comparison) -> None:
    assert max(map(len, tables.text(planted, 40).splitlines())) > 40  # even one metric is wider
    for width, n_metrics in ((40, 1), (60, 2)):
        table = tables.text(planted, width).split("\n\n")[1].splitlines()
        assert len(table[0].split()) == n_metrics + 3  # beside the name, "fit," and "s"
    assert max(map(len, tables.text(planted).splitlines())) <= 80


def test_the_markdown_is_short_enough_to_show_inline(planted: Comparison) -> None:
    """Dagster hides a table of 1,000 characters or more behind a click."""
    assert tables.markdown(planted).splitlines()[:2] == ["|films|recall_at_20|", "|---|--:|"]
    assert len(tables.markdown(planted)) < 1000


def test_without_test_examples_the_validation_ones_are_shown_and_named() -> None:
    comparison = Comparison.of(FITS, 16, TASK, {"validation": SCORES, "test": []})
    assert comparison.about["part"] == "validation"
    assert f"Measured on the {N} validation examples" in tables.text(comparison)


def test_without_any_held_out_example_the_table_says_so() -> None:
    comparison = Comparison.of(FITS, 16, TASK, {"validation": [], "test": []})
    assert "No example is held out, so nothing was measured" in tables.text(comparison)
    assert comparison.differences.is_empty()


def test_intervals_cover_the_seeds_where_they_were_measured() -> None:
    """A difference that the examples show well, and that another seed turns round as easily."""
    by_chance = [
        replace(one, metrics=one.metrics | {"seed_sd_recall_at_20": 0.1, "seeds": 2.0, "seed_freedom": 5.0})
        for one in FITS[:2]
    ]
    (narrow, wide) = (Comparison.of(fits, 10, TASK, {"test": SCORES[:2]}) for fits in (FITS[:2], by_chance))
    pair = ("embedding D=8", "embedding D=2", "recall_at_20")
    assert (narrow.verdict(*pair)["verdict"], wide.verdict(*pair)["verdict"]) == ("better", "no difference shown")
    assert narrow.verdict(*pair)["difference"] == wide.verdict(*pair)["difference"]
    assert "over examples (a bootstrap), not over seeds" in " ".join(tables.sentences(narrow))
    assert "over examples (a bootstrap) and seeds (2 for each" in " ".join(tables.sentences(wide))


def test_saving_and_loading(planted: Comparison, tmp_path: Path) -> None:
    planted.save(tmp_path)
    assert tables.text(Comparison.load(tmp_path)) == tables.text(planted)
