"""The fit of a number or a class is a penalised linear model that is solved for, unless training is better."""

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, sparse, special

from pipeline.config.files import load
from pipeline.embedding import Fitted, Problem, Watch
from pipeline.estimators import estimator
from pipeline.evaluation.bootstrap import Difference
from pipeline.evaluation.metrics import measure
from pipeline.evaluation.selection import SHARE
from pipeline.network import contest, linear_model, progress
from pipeline.network.linear_model import (
    BETWEEN,
    CHOOSING,
    KEEPING,
    OF_DENSE,
    PENALTIES,
    Examples,
    Linear,
    Penalties,
    Tried,
    best_penalties,
    solved,
    told_apart,
)
from pipeline.network.padded_networks import PaddedTarget
from pipeline.network.refreshed_start import refreshed_start
from pipeline.network.task_module import module_of
from pipeline.network.turned import turned
from tests.conftest import encoded_from

Array = npt.NDArray[Any]
C, V, R = 4, 30, 2
SOME = Penalties(0.1, 0.01)


def start(random: np.random.Generator, r: int = R, classes: int = C, dense: int = 1) -> Linear:
    return Linear(
        random.normal(size=(V, r)),
        np.zeros((r, classes)),
        np.zeros((dense, classes)),
        np.full(classes, -np.log(classes)),
    )


def planted(n: int, seed: int = 0, size: float = 2.0) -> Examples:
    """Lists of about six of 30 tokens, which tell four classes through two coordinates, and an idle feature."""
    truth, random = np.random.default_rng(7), np.random.default_rng(seed)
    effect = size * truth.normal(size=(V, R)) @ truth.normal(size=(R, C))
    bags = sparse.csr_matrix((random.random((n, V)) < 0.2).astype(np.float64))
    classes = np.array([random.choice(C, p=p) for p in special.softmax(bags @ effect, axis=1)])
    return Examples(bags, random.normal(size=(n, 1)), classes)


def cross_entropy(outputs: Array, target: Array) -> tuple[Array, Array]:
    """The losses of classes and their slopes, by NumPy alone."""
    true = np.eye(outputs.shape[1])[target]
    log_p = special.log_softmax(outputs, axis=1)
    return -(true * log_p).sum(axis=1), np.exp(log_p) - true


def test_no_step_from_the_solution_lowers_the_penalised_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, random = planted(300), np.random.default_rng(1)
    model = solved(rows, start(random), SOME, cross_entropy, KEEPING["float64"])
    loss = linear_model._loss(rows, model, SOME, cross_entropy)
    least, slope = loss(linear_model._flat(model))
    assert np.abs(slope).max() < 1e-4
    for _ in range(20):
        assert loss(linear_model._flat(model) + random.normal(scale=0.05, size=len(slope)))[0] > least
    assert optimize.check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], random.normal(size=len(slope))) < 1e-5
    monkeypatch.setattr(linear_model, "_AT_ONCE", 7 * C)  # blocks of 7 examples: the same loss
    loss = linear_model._loss(rows, model, SOME, cross_entropy)
    assert loss(linear_model._flat(model))[0] == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize(("many", "threads"), [(10**8, {1}), (0, {2})])
def test_a_small_problem_is_solved_on_one_thread_and_the_number_of_before_is_restored(
    monkeypatch: pytest.MonkeyPatch, many: int, threads: set[int]
) -> None:
    """Also the losses, which PyTorch computes: its threads wait for each other longer than they work."""
    found = set()

    def seen(outputs: Array, target: Array) -> tuple[Array, Array]:
        found.add(torch.get_num_threads())
        return cross_entropy(outputs, target)

    monkeypatch.setattr(linear_model, "MANY_PRODUCTS", many)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        solved(planted(50), start(np.random.default_rng(0)), SOME, seen, CHOOSING["float32"])
        assert (found, torch.get_num_threads()) == (threads, 2)
    finally:
        torch.set_num_threads(before)


def test_where_tokens_say_nothing_a_strong_penalty_is_chosen_and_leaves_the_shares() -> None:
    noise = planted(400, size=0.0), planted(400, seed=1, size=0.0)
    begun = start(np.random.default_rng(0))
    penalties = best_penalties(*noise, begun, cross_entropy, CHOOSING["float64"]).penalties
    assert penalties.tokens >= 0.5
    model = solved(noise[0], begun, penalties, cross_entropy, KEEPING["float32"])
    shares = np.bincount(noise[0].target, minlength=C) / 400
    assert special.softmax(model.outputs(noise[1]), axis=1) == pytest.approx(np.tile(shares, (400, 1)), abs=0.1)


def test_what_is_planted_is_found_and_the_penalty_falls_with_what_there_is_to_find() -> None:
    training, validation, test = planted(2000), planted(500, seed=1), planted(2000, seed=2)
    begun = start(np.random.default_rng(0))
    penalties = best_penalties(training, validation, begun, cross_entropy, CHOOSING["float64"]).penalties
    assert penalties.tokens <= 0.2
    model = solved(training, begun, penalties, cross_entropy, KEEPING["float32"])
    truth = np.random.default_rng(7)
    effect = 2.0 * truth.normal(size=(V, R)) @ truth.normal(size=(R, C))
    best, found = (special.log_softmax(logits, axis=1) for logits in (test.bags @ effect, model.outputs(test)))
    own = np.arange(2000), test.target
    assert -found[own].mean() == pytest.approx(-best[own].mean(), abs=0.03)


def test_with_two_classes_the_sign_of_their_coordinate_is_no_matter_of_rounding() -> None:
    rows = planted(200)
    rows = rows._replace(target=rows.target % 2)
    begun = start(np.random.default_rng(0), r=1, classes=2)
    tables = []
    for seed in range(8):
        order = np.random.default_rng(seed).permutation(200)
        some = Examples(*(part[order] for part in rows))
        tables.append(told_apart(solved(some, begun, SOME, cross_entropy, KEEPING["float32"]), some.bags).table)
    assert all((table * tables[0]).sum() > 0 for table in tables)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_coordinates_that_are_told_apart_give_the_same_outputs(seed: int, r: int) -> None:
    random = np.random.default_rng(seed)
    rows = planted(50, seed)
    model = Linear(
        random.normal(size=(V, r)), random.normal(size=(r, C)), random.normal(size=(1, C)), random.normal(size=C)
    )
    told = told_apart(model, rows.bags)
    assert told.outputs(rows) == pytest.approx(model.outputs(rows), abs=0.01)  # what hardly moves them is left out
    points = rows.bags @ told.table
    assert np.atleast_2d(np.cov(points, rowvar=False, bias=True)) == pytest.approx(np.eye(len(told.line)), abs=1e-6)
    moved = np.linalg.norm(told.line, axis=1)
    assert (np.diff(moved) <= 1e-9).all()


def test_coordinates_that_move_nothing_are_left_out() -> None:
    random = np.random.default_rng(0)
    model = start(random, r=3)
    assert told_apart(model, planted(50).bags).table.shape == (V, 0)
    model.line[1] = random.normal(size=C)
    assert told_apart(model, planted(50).bags).table.shape == (V, 1)


@pytest.mark.parametrize("numbers_tell", [False, True])
def test_numbers_have_a_penalty_of_their_own(numbers_tell: bool) -> None:
    """Planted: either ten numbers tell the class, or the tokens."""
    both = []
    for n, seed in ((600, 0), (400, 1)):
        rows, random = planted(n, seed), np.random.default_rng(seed)
        numbers = random.normal(size=(n, 10))
        if numbers_tell:
            numbers[:, :C] += 3 * np.eye(C)[rows.target]
            rows = rows._replace(bags=rows.bags[random.permutation(n)])
        both.append(rows._replace(dense=numbers))
    found = best_penalties(
        *both, start(np.random.default_rng(0), dense=10), cross_entropy, CHOOSING["float64"]
    ).penalties
    assert found.dense < found.tokens if numbers_tell else found.dense > found.tokens


def test_the_penalty_is_one_of_those_in_the_list_whatever_the_order_of_the_examples() -> None:
    rows, validation = planted(300), planted(200, seed=1)
    order = np.random.default_rng(0).permutation(300)
    begun = start(np.random.default_rng(0))
    both = rows, Examples(*(part[order] for part in rows))
    found = {best_penalties(one, validation, begun, cross_entropy, CHOOSING["float64"]).penalties for one in both}
    assert len(found) == 1
    ((tokens, dense),) = found
    assert tokens in {round(penalty * factor, 4) for penalty in PENALTIES for factor in (1, *BETWEEN)}
    assert dense in {round(tokens * factor, 4) for factor in (1, *chain(*OF_DENSE))}


def test_the_losses_that_choose_are_known_to_less_than_decides() -> None:
    """Planted: Zipf's tokens and numbers that say nearly the same, where a solver is slow."""
    truth = np.random.default_rng(0)
    v, f = 400, 10
    effect, share = truth.normal(size=v), 0.9 / np.arange(1, v + 1) ** 0.8

    def examples(n: int, seed: int) -> Examples:
        random = np.random.default_rng(seed)
        bags = sparse.csr_matrix((random.random((n, v)) < share).astype(np.float64))
        dense = random.normal(size=(n, f)) + 5 * random.normal(size=(n, 1))
        return Examples(bags, dense, 0.3 * (bags @ effect) + dense.sum(1) + random.normal(size=n))

    def squared(outputs: Array, target: Array) -> tuple[Array, Array]:
        error = outputs[:, 0] - target
        return error**2 / 2, error[:, None]

    begun = Linear(truth.normal(size=(v, 1)), np.zeros((1, 1)), np.zeros((f, 1)), np.zeros(1))
    tried: dict[str, list[Tried]] = {"choosing": [], "keeping": []}
    for name, effort in (("choosing", CHOOSING["float64"]), ("keeping", KEEPING["float64"])):
        best_penalties(examples(1500, 1), examples(750, 2), begun, squared, effort, tried[name].append)
    assert len(tried["choosing"]) == len(tried["keeping"]) > 5
    for one, exactly in zip(tried["choosing"], tried["keeping"], strict=True):
        assert one.score == pytest.approx(exactly.score, abs=SHARE * one.error / 10)


NOTES: dict[str, Any] = {
    "description": "Planted.",
    "tokens": [{"kind": "words", "columns": "text"}],
    "split": {"validation": 0.2, "test": 0.3},
    "vocabulary": {"min_count": 1},
    "task": {"kind": "classification", "target": "kind", "dense": ["x"]},
    "dimensions": [3],
    "baselines": ["logistic_regression"],
}


NUMBERS = NOTES | {
    "task": {"kind": "regression", "target": "y", "dense": ["x"], "log": False},
    "baselines": ["ridge"],
}


def notes(n: int, of: Callable[[npt.NDArray[np.bool_], float], float], seed: int = 0) -> pl.DataFrame:
    """Notes of 40 words, of which each has about six, a number x, a class, and a number y.

    `of` gives the log odds of class `b` against `a`, and y, to which noise of variance 1 is added.
    """
    random = np.random.default_rng(seed)
    has, x = random.random((n, 40)) < 0.15, random.normal(size=n)
    odds = np.array([of(*one) for one in zip(has, x, strict=True)])
    texts = [" ".join(f"w{i}" for i in np.flatnonzero(row)) or "none" for row in has]
    kinds = np.where(random.logistic(size=n) < odds, "b", "a")
    return pl.DataFrame({"text": texts, "x": x, "kind": kinds, "y": odds + random.normal(size=n)})


@pytest.fixture
def problem(write_conf: Callable[..., Path]) -> Callable[..., tuple[Problem, Any]]:
    def make(frame: pl.DataFrame, epochs: int = 5, of: dict[str, Any] = NOTES) -> tuple[Problem, Any]:
        conf = load(write_conf("notes", {**of, "training": {"max_epochs": epochs}}, frame))
        vocabulary, examples = encoded_from(frame, conf)
        conf = conf.resolved(examples.n_training, len(vocabulary))
        made = Problem(examples.training(), vocabulary, conf, 3, examples.held_out("validation"))
        return made, examples.held_out("test")

    return make


def error(fitted: Fitted, problem: Problem, test: Any) -> float:
    """The log loss, or the root mean squared error."""
    task = problem.conf.task
    return measure(task, task.evaluate(fitted, test))[task.metrics[0].name]


def additive(has: npt.NDArray[np.bool_], x: float) -> float:
    return float(2 * has[:10].sum() - 2 * has[10:20].sum() + 0.5 * x)


def crossed(has: npt.NDArray[np.bool_], x: float) -> float:
    return 3 * x if has[:5].any() else -3 * x


def test_where_words_add_up_the_start_is_kept_and_is_no_worse_than_logistic_regression(
    problem: Callable[..., Any],
) -> None:
    learned, test = problem(notes(1200, additive))
    embedding, linear = (estimator(name, learned.conf).fit(learned) for name in ("embedding", "logistic_regression"))
    assert (embedding.chosen["epochs"], embedding.chosen["one_length"]) == (0, False)
    assert error(embedding, learned, test) < error(linear, learned, test) + 0.01
    again = estimator("embedding", learned.conf).fit(replace(learned, validation=None, chosen=embedding.chosen))
    assert (again.embedding.matrix == embedding.embedding.matrix).all()


def test_a_sum_of_words_is_found_as_well_as_ridge_regression_finds_it(problem: Callable[..., Any]) -> None:
    """What is planted has noise of variance 1; training alone would end at 1.3."""
    learned, test = problem(notes(1200, additive), of=NUMBERS)
    embedding, linear = (estimator(name, learned.conf).fit(learned) for name in ("embedding", "ridge"))
    assert embedding.chosen["epochs"] == 0
    assert error(embedding, learned, test) < min(error(linear, learned, test) + 0.02, 1.15)


@pytest.mark.parametrize(("better_by", "is_kept"), [(0.9, True), (1.1, False)])
def test_what_is_trained_for_a_number_is_kept_unless_the_straight_line_is_better_by_a_standard_error(
    problem: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, better_by: float, is_kept: bool
) -> None:
    """On few validation examples a straight line may look better by chance, and curves are what is usual."""
    learned, _ = problem(notes(300, crossed), of=NUMBERS)
    metric = learned.conf.task.metrics[0]
    found = Difference(metric, -better_by, low=-better_by - 2, high=-better_by + 2, n=1000)  # a standard error of 1
    monkeypatch.setattr(contest, "compared", lambda *_: found)
    fitted = estimator("embedding", learned.conf).fit(learned)
    assert (fitted.chosen["epochs"] > 0) == is_kept


def test_a_place_is_what_a_word_adds_to_a_list(problem: Callable[..., Any]) -> None:
    learned, test = problem(notes(600, additive), of=NUMBERS)
    start = {"epochs": 0, "token_dropout": 0.0, "one_length": False, "penalty": 0.04, "dense_penalty": 0.004}
    fitted = estimator("embedding", learned.conf).fit(replace(learned, chosen=start))
    lists = test.inputs.csr().toarray()
    without = np.flatnonzero(lists[:, 5] == 0)
    more = lists[without].copy()
    more[:, 5] = 1
    found, before = (fitted.score(sparse.csr_matrix(one), test.dense[without]) for one in (more, lists[without]))
    adds = fitted.embedding.matrix[5] @ fitted.weights["line.weight"][0, :3] * fitted.weights["target_std"]
    assert found - before == pytest.approx(np.full(len(without), adds), abs=1e-4)


def test_while_penalties_are_tried_lines_tell_of_it(
    problem: Callable[..., Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    monkeypatch.setattr(progress.Pace, "seconds", 0.0)
    learned, _ = problem(notes(300, additive))
    caplog.set_level("INFO")
    watch = Watch("notes: embedding D=3", logging.getLogger("told"))
    settings = learned.conf.training
    module = module_of(learned.conf.task.learner)
    module.promising(replace(learned, watch=watch), settings, settings.choices())
    (first, *_) = [record.message for record in caplog.records if record.name == "told"]
    assert first.startswith("notes: embedding D=3: a linear model with penalty 1.28, validation loss 0.")


def test_a_number_of_which_nothing_can_be_known_is_answered_with_its_mean(problem: Callable[..., Any]) -> None:
    learned, test = problem(notes(600, lambda has, x: 0.0), of=NUMBERS)
    embedding = estimator("embedding", learned.conf).fit(learned)
    assert error(embedding, learned, test) == pytest.approx(np.std(test.target), rel=0.03)


@pytest.mark.parametrize(("of", "begins_solved"), [(NOTES, True), (NUMBERS, False)])
def test_a_class_is_trained_from_what_is_solved_and_a_number_from_its_mean(
    problem: Callable[..., Any], of: dict[str, Any], begins_solved: bool
) -> None:
    learned, _ = problem(notes(300, additive), of=of)
    task, settings = learned.conf.task, learned.conf.training
    option = {"token_dropout": 0.0, "one_length": False, "penalty": 0.1, "dense_penalty": 0.01}
    for steps in (0, 100):
        module, sets, _ = module_of(task.learner).prepared(learned, settings, steps, option, {})
        batch = sets[0][range(len(sets[0]))]
        outputs = module.network.eval()(batch["inputs"], batch["dense"])
        assert (outputs.std(dim=0).max() > 0.1) == (begins_solved or not steps)


@pytest.mark.parametrize(("of", "baseline"), [(NOTES, "logistic_regression"), (NUMBERS, "ridge")])
def test_where_words_and_numbers_act_together_training_goes_on_from_it(
    problem: Callable[..., Any], of: dict[str, Any], baseline: str
) -> None:
    learned, test = problem(notes(3000, crossed), epochs=25, of=of)
    embedding, linear = (estimator(name, learned.conf).fit(learned) for name in ("embedding", baseline))
    assert embedding.chosen["epochs"] > 0
    assert error(embedding, learned, test) < error(linear, learned, test) - 0.05


@pytest.mark.parametrize("epochs", [None, 0, 20])
def test_a_class_without_examples_keeps_its_bias_and_nothing_speaks_for_it(
    problem: Callable[..., Any], epochs: int | None
) -> None:
    """Whether the model is chosen, solved for, or trained, which would otherwise make the class a tenth as probable."""
    frame = notes(900, additive)
    frame = frame.with_columns(kind=pl.when(pl.int_range(pl.len()) % 9 == 0).then(pl.lit("c")).otherwise("kind"))
    learned, _ = problem(frame)
    others = np.flatnonzero(learned.training.target != 2)
    options = {"token_dropout": 0.3, "one_length": False, "penalty": 0.1, "dense_penalty": 0.1}
    chosen = None if epochs is None else {"epochs": epochs, **options}
    fit = estimator("embedding", learned.conf).fit
    kept = fit(replace(learned, training=learned.training.cut(others), chosen=chosen))
    assert not kept.weights["line.weight"][2].any()
    assert not kept.weights["outer.weight"][2].any()
    prior = np.log(0.5 / (len(others) + 0.5)) - np.log(1)
    shift = kept.weights["mean_bag"] @ kept.weights["table.weight"] @ kept.weights["line.weight"][2, :3]
    assert kept.weights["line.bias"][2] == pytest.approx(prior + shift, abs=1e-4)


def test_where_the_share_of_words_tells_the_class_bags_have_one_length(problem: Callable[..., Any]) -> None:
    """Planted: letters of 3 to 80 words of two moods; the mood of most words decides, however many there are."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(1500):
        share, n = random.beta(2, 2), random.integers(3, 80)
        words = np.where(random.random(n) < share, random.integers(0, 200, n), random.integers(200, 400, n))
        rows.append((" ".join(f"w{i}" for i in words), 0.0, "b" if random.logistic(scale=0.05) < share - 0.5 else "a"))
    learned, test = problem(pl.DataFrame(rows, schema=["text", "x", "kind"], orient="row"))
    embedding = estimator("embedding", learned.conf).fit(learned)
    assert embedding.chosen["one_length"]
    lists = test.inputs.csr()
    padded = np.full((len(test), np.diff(lists.indptr).max()), -1)
    for row, tokens in zip(padded, np.split(lists.indices, lists.indptr[1:-1]), strict=True):
        row[: len(tokens)] = tokens
    plain = PaddedTarget(embedding.weights, learned.conf.task)
    found = plain(torch.from_numpy(padded), torch.from_numpy(test.dense).float()).detach().numpy()
    assert found == pytest.approx(embedding.score(lists, test.dense), abs=1e-5)


@pytest.mark.parametrize("of", [NOTES, NUMBERS])
@pytest.mark.parametrize("turn", [np.eye(3), np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]])
def test_a_refresh_is_solved_for_again_and_known_words_stay_in_their_places(
    problem: Callable[..., Any], turn: Array, of: dict[str, Any]
) -> None:
    """A fit that came after another one is turned onto it, so what moves the outputs is in all its coordinates."""
    frame = notes(1500, additive, seed=1)
    before, _ = problem(frame.head(1000), of=of)
    kept = estimator("embedding", before.conf).fit(before)
    assert kept.chosen["epochs"] == 0
    now, test = problem(frame, of=of)
    weights = refreshed_start(
        turned(kept.weights, turn), before.vocabulary, now.vocabulary, now.training, now.conf.dtype
    )
    refreshed = estimator("embedding", now.conf).fit(replace(now, start=weights))
    anew = estimator("embedding", now.conf).fit(now)
    assert error(refreshed, now, test) == pytest.approx(error(anew, now, test), abs=0.02)
    place = before.vocabulary.encode(now.vocabulary.tokens["token"])
    old, new = kept.embedding.matrix[place[place >= 0]] @ turn, refreshed.embedding.matrix[place >= 0]
    assert np.linalg.norm(new - old) < 0.3 * np.linalg.norm(old)


def test_a_refresh_of_a_trained_network_learns_on(problem: Callable[..., Any]) -> None:
    frame = notes(2400, crossed)
    before, _ = problem(frame.head(2300), epochs=25)
    trained = estimator("embedding", before.conf).fit(before)
    assert trained.chosen["epochs"] > 0
    now, test = problem(frame, epochs=5)
    weights = refreshed_start(trained.weights, before.vocabulary, now.vocabulary, now.training, now.conf.dtype)
    refreshed = estimator("embedding", now.conf).fit(replace(now, start=weights))
    assert refreshed.weights["outer.weight"].any()
    assert error(refreshed, now, test) < error(trained, now, test) + 0.02
