from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.tasks.classification import Classification
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.tasks.regression import Regression
from pipeline.views import tables
from pipeline.views.answer import answer

RANKING = MissingTokens(kind="missing_tokens")
STATUS = Classification(kind="classification", target="status")
PRICE = Regression(kind="regression", target="price")
N = 400


def compared(
    values: dict[str, float], has_validation: bool = True, on_test: dict[str, float] | None = None
) -> Comparison:
    """Fits by name, such as `pca D=2`, each with its recall, which differs from example to example by little."""
    fits, parts = [], {"validation": values if has_validation else {}, "test": values | (on_test or {})}
    frames: dict[str, list[pl.DataFrame]] = {part: [] for part in parts}
    for i, name in enumerate(values):
        method, _, dimension = name.partition(" D=")
        fits.append(Fit("films", method, int(dimension or 1), f"run-{i}", "1", False, {"fit_seconds": 1.0}))
        noise = np.random.default_rng(i).normal(0, 0.01, N)
        examples = [f"e{n}" for n in range(N)]
        for part, of_part in parts.items():
            if of_part:
                recalls = of_part[name] + noise - noise.mean()
                frames[part].append(pl.DataFrame({"example": examples, "recall_at_20": recalls, "ndcg_at_20": recalls}))
    return Comparison.of(fits, 10_000, RANKING, frames)


def test_the_best_d_what_a_smaller_one_keeps_and_every_baseline() -> None:
    values = {
        "embedding D=2": 0.30, "embedding D=8": 0.38, "embedding D=32": 0.40, "pca D=2": 0.20, "pca D=8": 0.25,
        "pca D=32": 0.3, "pca D=64": 0.35, "popularity": 0.1, "ease": 0.36,
    }  # fmt: skip
    assert answer(compared(values)) == (
        "Take D=32: the best of those tried on validation; D=8 keeps 95% of its recall_at_20 at a quarter of the "
        "size. The learned embedding beats PCA at every D, and both other baselines; PCA does not reach it up to D=64."
    )
    also = answer(compared(values | {"embedding D=2": 0.388}))
    assert "; D=2 keeps 97% of its recall_at_20 at 6% of the size." in also
    values |= {"pca D=64": 0.45, "ease": 0.5}
    assert answer(compared(values)).endswith(
        "The learned embedding beats PCA at every D; PCA needs D=64 to be as good. ease is better than the learned "
        "embedding."
    )
    values |= {"ease": 0.4, "als": 0.4}
    assert answer(compared(values)).endswith(
        "PCA needs D=64 to be as good. Beside ease and als no difference is shown."
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"embedding D=2": 0.3999, "embedding D=8": 0.4, "pca D=2": 0.5, "pca D=8": 0.3},
            "Take D=2: on validation it is as good as D=8, the best, up to a standard error, at a quarter of the size. "
            "The learned embedding beats PCA at 1 of 2 D, and is worse at 1.",
        ),
        (
            {"embedding D=2": 0.3999, "embedding D=8": 0.4, "pca D=2": 0.1, "pca D=8": 0.2},
            "Take D=2: on validation it is as good as D=8, the best, up to a standard error, at a quarter of the size. "
            "The learned embedding beats PCA at every D; PCA does not reach it up to D=8.",
        ),
        (
            {"embedding D=3": 0.4, "pca D=3": 0.4},
            "D=3 is the only one that was tried. The learned embedding is not shown to beat PCA of the same D.",
        ),
        (
            {"embedding D=3": 0.3, "pca D=3": 0.4},
            "D=3 is the only one that was tried. The learned embedding is worse than PCA of the same D.",
        ),
        (
            {"embedding D=2": 0.3, "embedding D=8": 0.4, "pca D=2": 0.4, "pca D=8": 0.5},
            "Take D=8: the best of those tried on validation. The learned embedding is worse than PCA at every D.",
        ),
        (
            {"embedding D=2": 0.3, "embedding D=8": 0.4, "pca D=2": 0.3, "pca D=8": 0.5},
            "Take D=8: the best of those tried on validation. "
            "The learned embedding is not shown to beat PCA at any D, and is worse at 1 of 2.",
        ),
        (
            {"embedding D=3": 0.1, "popularity": 0.2},
            "No signal shown by recall_at_20: no learned embedding is shown to be better than popularity, which "
            "ignores the example. popularity is better than the learned embedding.",
        ),
        ({"embedding D=2": 0.1, "embedding D=8": 0.4}, "Take D=8: the best of those tried on validation."),
    ],
)
def test_never_more_than_the_verdicts_show(values: dict[str, float], said: str) -> None:
    assert answer(compared(values)) == said


def test_what_is_said_of_other_baselines_is_said_of_the_d_to_take() -> None:
    """On validation D=2 is as good as D=8; on test only D=8 is better than als."""
    values = {"embedding D=2": 0.3999, "embedding D=8": 0.4, "pca D=2": 0.1, "pca D=8": 0.2, "als": 0.35}
    assert "beats PCA at every D, and the other baseline;" in answer(compared(values))
    comparison = compared(values, on_test={"embedding D=2": 0.34})
    said = answer(comparison)
    assert "Take D=2" in said
    assert "the other baseline" not in said
    assert said.endswith("als is better than the learned embedding of D=2.")
    assert tables.verdict_cells(comparison, 1)[-1][:2] == ["embedding D=2", "als"]
    assert tables.verdict_cells(comparison, 1)[-1][2].startswith("worse -0.0100")


def test_what_pca_of_more_dimensions_nearly_has_is_not_beyond_it() -> None:
    values = {"embedding D=2": 0.40, "pca D=2": 0.20, "pca D=8": 0.39}
    beyond = "PCA does not reach the recall_at_20 of embedding D=2 up to D=8."
    assert answer(compared(values)).endswith("beats PCA of the same D; PCA does not reach it up to D=8.")
    assert beyond in tables.sentences(compared(values))
    values |= {"pca D=8": 0.3999}
    assert answer(compared(values)).endswith("beats PCA of the same D.")
    assert beyond not in tables.sentences(compared(values))


def test_pca_that_is_as_good_with_fewer_dimensions_does_not_need_them() -> None:
    """PCA of D=4, which is compared with no learned one, is better than embedding D=8, and than PCA D=8."""
    values = {"embedding D=2": 0.3, "embedding D=8": 0.4, "pca D=2": 0.2, "pca D=4": 0.45, "pca D=8": 0.35}
    said = answer(compared(values))
    assert said.endswith("The learned embedding beats PCA at every D, but PCA of D=4 is no worse than D=8.")
    told = tables.sentences(compared(values))
    assert "PCA needs D=4 for the recall_at_20 of embedding D=2." in told
    assert "PCA of D=4 is no worse than embedding D=8 in recall_at_20." in told
    worse = compared({"embedding D=8": 0.3, "pca D=2": 0.35, "pca D=8": 0.4})
    assert answer(worse).endswith("The learned embedding is worse than PCA of the same D.")
    assert "PCA of D=2 is no worse than embedding D=8 in recall_at_20." in tables.sentences(worse)


def test_a_signal_of_the_d_to_take_is_one() -> None:
    """The table has its verdict: the answer may not deny it."""
    values = {"embedding D=2": 0.3999, "embedding D=8": 0.4, "popularity": 0.35}
    of_small, of_large, of_none = (
        answer(compared(values, on_test=on_test))
        for on_test in ({"embedding D=8": 0.35}, {"embedding D=2": 0.35}, {f"embedding D={d}": 0.35 for d in (2, 8)})
    )
    assert of_small.startswith("Take D=2: on validation it is as good as D=8")
    assert of_large.startswith("Take D=2")
    assert of_large.endswith("Beside popularity no difference is shown.")
    assert of_none.startswith("No signal shown by recall_at_20")


def test_without_validation_the_largest_is_named_as_what_it_is() -> None:
    assert answer(compared({"embedding D=2": 0.1, "embedding D=8": 0.4}, has_validation=False)) == (
        "Take D=8, the largest that was tried: there are no validation examples to choose by."
    )


@pytest.mark.parametrize(("sd", "more"), [(0.105, "5%"), (0.1001, "less than 1%")])
def test_of_an_error_the_lower_one_is_better(sd: float, more: str) -> None:
    target = np.random.default_rng(0).uniform(100, 900, N)
    fits = [Fit("homes", "embedding", d, f"run-{d}", "1", False, {"fit_seconds": 1.0}) for d in (2, 4)]
    frames = [
        pl.DataFrame({"example": [f"e{n}" for n in range(N)], "target": target, "predicted": target * np.exp(error)})
        for error in (np.random.default_rng(1).normal(0, spread, N) for spread in (sd, 0.1))
    ]
    said = answer(Comparison.of(fits, 100, PRICE, {"validation": frames, "test": frames}))
    assert said == (
        f"Take D=4: the best of those tried on validation; with D=2 its rmse_log is {more} larger, at half of the size."
    )


def test_nothing_held_out_is_nothing_measured() -> None:
    fits = [Fit("films", "embedding", 2, "run", "1", False, {"fit_seconds": 1.0})]
    comparison = Comparison.of(fits, 10, RANKING, {"validation": [], "test": []})
    assert answer(comparison) == "Nothing was measured, because no example is held out."
    comparison = Comparison.of(
        fits, 10, RANKING, {"validation": [], "test": []}, split="By day: tested on what came last."
    )
    why = "no example is held out that has known tokens to go in and others to predict"  # all that came last may be new
    assert answer(comparison) == f"Nothing was measured, because {why}."
    first, *_, last = tables.sentences(comparison)
    assert first.startswith(f"N{why[1:]}, so nothing was measured.")
    assert last == "By day: tested on what came last."


def test_predictions_that_only_scatter_are_no_signal_in_any_metric() -> None:
    """Planted: prices that nothing tells. The baseline's mean of logarithms is too low a mean for the rmse."""
    random = np.random.default_rng(1)
    target = random.uniform(1, 10, 4000)
    predicted = {"mean": np.full(4000, 4.7), "embedding D=2": random.normal(5.5, 0.3, 4000)}
    ids = [f"e{n}" for n in range(4000)]
    frames = [pl.DataFrame({"example": ids, "target": target, "predicted": one}) for one in predicted.values()]
    fits = [Fit("homes", name.split()[0], 2, name, "1", False, {"fit_seconds": 1.0}) for name in predicted]
    found = Comparison.of(fits, 10_000, PRICE, {"validation": frames, "test": frames})
    assert found.verdict("embedding D=2", "mean", "rmse")["verdict"] == "better"
    assert answer(found) == (
        "No signal shown by rmse_log: no learned embedding is shown to be better than mean, which ignores the example. "
        "mean is better than the learned embedding."
    )


def in_groups(n_groups: int) -> Comparison:
    """Two fits, of which one is far better, on examples of so many groups; by the numbers alone it is beyond doubt."""
    ids = [f"e{n}" for n in range(N)]
    right = {"embedding D=2": 0.9, "popularity": 0.1}
    noise = np.random.default_rng(1).normal(0, 0.01, (2, N))
    frames = [
        pl.DataFrame({"example": ids, "recall_at_20": value + noise[i], "group": np.arange(N) % n_groups})
        for i, value in enumerate(right.values())
    ]
    fits = [Fit("films", name.split()[0], 2, name, "1", False, {"fit_seconds": 1.0}) for name in right]
    return Comparison.of(fits, 10_000, RANKING, {"validation": frames, "test": frames})


@pytest.mark.parametrize("n_groups", [1, 3, 9])
def test_of_few_groups_nothing_is_told_and_the_reason_is(n_groups: int, tmp_path: Path) -> None:
    found = in_groups(n_groups)
    assert f"{n_groups} test group" in answer(found)
    assert "too few to tell what the fits are worth: at least 10 are needed" in answer(found)
    assert found.verdict("embedding D=2", "popularity", "recall_at_20")["verdict"] == "too few to tell"
    found.draw_sweep(tmp_path / "sweep.png")
    said = tables.text(found)
    assert "nan" not in said
    assert "±" not in said


def test_ten_groups_are_enough() -> None:
    assert answer(in_groups(10)).startswith("D=2 is the only one that was tried.")
    assert "± and brackets are 95% intervals over groups" in " ".join(tables.sentences(in_groups(10)))


@pytest.mark.parametrize(
    ("n", "in_groups", "said"),
    [
        (1, False, "Take D=8: the best of those tried on validation. Only 1 example validated: what was chosen"),
        (9, False, "Take D=8: the best of those tried on validation. Only 9 examples validated: what was chosen"),
        (9, True, "Take D=8: the best of those tried on validation. Only 1 group validated: what was chosen"),
        (10, False, None),
    ],
)
def test_few_examples_that_chose_are_said(n: int, in_groups: bool, said: str | None) -> None:
    """Planted: enough examples to test, and hardly any to choose by."""
    of = {"embedding D=2": 0.2, "embedding D=8": 0.4}
    fits = [Fit("films", "embedding", int(name[-1]), name, "1", False, {"fit_seconds": 1.0}) for name in of]
    tested, chose = (
        [pl.DataFrame({"example": [f"e{i}" for i in range(size)], "recall_at_20": [v] * size}) for v in of.values()]
        for size in (N, n)
    )
    if in_groups:
        tested = [frame.with_columns(group=np.arange(N)) for frame in tested]
        chose = [frame.with_columns(group=pl.lit(0)) for frame in chose]
    found = answer(Comparison.of(fits, 100, RANKING, {"validation": chose, "test": tested}))
    assert found.startswith(said) if said else "validated" not in found


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (0, "All 400 test examples have the same answer, 'ok': too few others to tell"),
        (9, "All but 9 of the 400 test examples have the same answer, 'ok': too few others to tell"),
        (10, "No signal shown by log_loss"),
    ],
)
def test_examples_that_nearly_all_have_one_class_tell_nothing(others: int, said: str) -> None:
    target = ["fraud"] * others + ["ok"] * (N - others)
    probability = np.where(np.arange(N) < others, 0.1, 0.9)
    scores = pl.DataFrame({"example": [f"e{i}" for i in range(N)], "target": target, "predicted": ["ok"] * N})
    scores = scores.with_columns(probability=probability, second=np.full(N, 0.9))
    fits = [
        Fit("claims", method, d, f"run-{method}", "1", False, {"fit_seconds": 1.0})
        for method, d in (("most_frequent_class", 1), ("embedding", 8), ("pca", 8))
    ]
    assert answer(Comparison.of(fits, 100, STATUS, {"test": [scores] * 3, "validation": [scores] * 3})).startswith(said)


@pytest.mark.parametrize(
    ("others", "said"),
    [(0, "All 400 validation examples"), (3, "All but 3 of the 400 validation examples"), (10, None)],
)
def test_validation_examples_that_nearly_all_have_one_class_are_said(others: int, said: str | None) -> None:
    """Planted: of the test examples half are of the rare class, and hardly any of those that choose."""
    fits = [Fit("claims", "embedding", d, f"run-{d}", "1", False, {"fit_seconds": 1.0}) for d in (2, 8)]

    def scores(n_rare: int) -> pl.DataFrame:
        target = ["fraud"] * n_rare + ["ok"] * (N - n_rare)
        found = pl.DataFrame({"example": [f"e{i}" for i in range(N)], "target": target, "predicted": ["ok"] * N})
        return found.with_columns(probability=np.full(N, 0.7), second=np.full(N, 0.5))

    found = answer(Comparison.of(fits, 100, STATUS, {"test": [scores(N // 2)] * 2, "validation": [scores(others)] * 2}))
    assert (f"{said} have the same answer: what was chosen, D and settings, may be chance." in found) == bool(said)
    assert ("chance" in found) == bool(said)


def test_of_few_examples_it_is_not_told_how_many_dimensions_pca_needs() -> None:
    values = {"embedding D=2": 0.5, "pca D=2": 0.4, "pca D=8": 0.5}
    for n, told in ((9, False), (90, True)):
        frames = [
            pl.DataFrame({"example": [f"e{i}" for i in range(n)], "recall_at_20": np.full(n, value)})
            for value in values.values()
        ]
        fits = [Fit("films", name.split()[0], int(name[-1]), name, "1", False, {"fit_seconds": 1.0}) for name in values]
        said = tables.text(Comparison.of(fits, 100, RANKING, {"validation": frames, "test": frames}))
        assert ("PCA needs D=8 for the recall_at_20 of embedding D=2." in said) == told


def test_a_single_test_example_is_said_as_one() -> None:
    fits = [Fit("films", "embedding", 2, "embedding D=2", "1", False, {"fit_seconds": 1.0})]
    one = [pl.DataFrame({"example": ["e"], "recall_at_20": [1.0]})]
    found = Comparison.of(fits, 3, RANKING, {"validation": one, "test": one})
    assert "1 test example is too few to tell" in answer(found)
    assert "Measured on the 1 test example." in tables.text(found)


@pytest.mark.parametrize("in_folds", [True, False])
def test_folds_are_no_advice_where_they_are_there(in_folds: bool) -> None:
    frames = [
        pl.DataFrame({"example": [f"e{i}" for i in range(9)], "recall_at_20": np.full(9, value)})
        for value in (0.9, 0.1)
    ]
    if in_folds:
        frames = [frame.with_columns(fold=pl.lit(0, pl.UInt8)) for frame in frames]
    fits = [Fit("films", name, 2, name, "1", False, {"fit_seconds": 1.0}) for name in ("embedding", "popularity")]
    said = answer(Comparison.of(fits, 100, RANKING, {"validation": frames, "test": frames}))
    assert said.startswith("9 test examples are too few to tell")
    assert said.endswith("Bring more data." if in_folds else "or let `split.folds` test each example.")


def test_numbers_that_are_nearly_all_alike_tell_nothing() -> None:
    target = np.where(np.arange(N) < 3, 7.0, 0.0)
    scores = pl.DataFrame({"example": [f"e{i}" for i in range(N)], "target": target, "predicted": np.zeros(N)})
    farther = scores.with_columns(predicted=np.full(N, 1.0))
    fits = [Fit("claims", name, 1, f"run-{name}", "1", False, {"fit_seconds": 1.0}) for name in ("mean", "ridge")]
    number = Regression(kind="regression", target="claim", log=False)
    found = Comparison.of(fits, 100, number, {"test": [scores, farther]})
    said = answer(found)
    assert said.startswith("All but 3 of the 400 test examples have the same answer, 0: too few others to tell")
    assert found.verdict("mean", "ridge", "rmse")["verdict"] == "too few to tell"
    assert "better" not in tables.text(found).replace("is better", "")
