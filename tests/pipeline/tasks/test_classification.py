from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse, special

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Fitted, Problem
from pipeline.errors import PipelineError
from pipeline.estimators import estimator, estimator_type
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.tasks.classification import logistic
from pipeline.views.marginal_effects import token_effects
from pipeline.vocabulary.vocabulary import Vocabulary
from tests.conftest import NOTED, NOTES, encoded_from

PLACES = ("sea", "town", "woods")


def fitted(method: str, conf: Dataset, examples: SparseExamples, vocabulary: Vocabulary) -> Fitted:
    conf = conf.resolved(examples.n_training, len(vocabulary))
    dimension = 2 if estimator_type(method).is_swept else None
    validation = examples.held_out("validation")
    return estimator(method, conf).fit(Problem(examples.training(), vocabulary, conf, dimension, validation))


def test_classes_are_counted_by_their_names_and_travel_with_the_examples(
    noted_words: pl.DataFrame, notes: Dataset
) -> None:
    _, examples = encoded_from(noted_words, notes)
    for rows in (examples.training(), *(examples.held_out(part) for part in HELD_OUT)):
        assert rows.classes == PLACES
        found = [rows.classes[int(i)] for i in rows.target]
        assert found == [noted_words["place"][int(i)] for i in rows.ids]
        assert rows.dense[:, 0] == pytest.approx(noted_words["hour"].to_numpy()[[int(i) for i in rows.ids]])


@pytest.mark.parametrize("method", ["embedding", "pca", "logistic_regression", "boosted_trees", "pca_boosted_trees"])
def test_every_method_finds_the_planted_places(
    method: str, noted_words: pl.DataFrame, write_conf: Callable[..., Path]
) -> None:
    few = {"max_trees": 60, "leaves": 8}
    trees = [{"kind": "boosted_trees", **few}, {"kind": "pca_boosted_trees", **few, "dimension": 4}]
    baselines = ["most_frequent_class", "logistic_regression", *trees]
    conf = load(write_conf("notes", {**NOTES, "baselines": baselines}, noted_words))
    vocabulary, examples = encoded_from(noted_words, conf)
    test = examples.held_out("test")
    floor, found = (
        measure(conf.task, conf.task.evaluate(fitted(name, conf, examples, vocabulary), test))
        for name in ("most_frequent_class", method)
    )
    assert floor["accuracy"] == pytest.approx(0.5, abs=0.1)
    assert floor["log_loss"] == pytest.approx(-sum(p * np.log(p) for p in (0.5, 0.3, 0.2)), abs=0.1)
    assert found["accuracy"] > (floor["accuracy"] if method == "boosted_trees" else 0.8)  # the hour alone tells the sea
    assert found["log_loss"] < floor["log_loss"] - 0.1
    assert found["macro_f1"] > floor["macro_f1"] + 0.1


def test_probabilities_of_a_fit_come_back_from_its_weights(noted_words: pl.DataFrame, notes: Dataset) -> None:
    vocabulary, examples = encoded_from(noted_words, notes)
    rows = examples.held_out("test")
    for method in ("embedding", "pca", "most_frequent_class"):
        fit = fitted(method, notes, examples, vocabulary)
        again = estimator_type(method).restore(fit.embedding, fit.weights, notes)
        found = [one.score(rows.inputs.csr(), rows.dense) for one in (fit, again)]
        assert found[0].sum(axis=1) == pytest.approx(np.ones(len(rows)))
        assert found[1] == pytest.approx(found[0])


def test_each_word_speaks_for_its_place(noted_words: pl.DataFrame, notes: Dataset) -> None:
    vocabulary, examples = encoded_from(noted_words, notes)
    fit = fitted("embedding", notes, examples, vocabulary)
    effects = token_effects(fit, examples.everything(), notes.task, seed=1, n_tokens=len(vocabulary))
    name, spoken = notes.task.effects_in_words(effects, examples.training().classes)
    assert name == "place that it speaks for"
    assert dict(zip(vocabulary.labels, spoken, strict=True)) == {w: place for place in NOTED for w in NOTED[place]}


def test_two_classes_have_an_area_under_the_curve_and_one_number_a_token(
    noted_words: pl.DataFrame, notes: Dataset
) -> None:
    records = noted_words.filter(pl.col("place") != "woods")
    vocabulary, examples = encoded_from(records, notes)
    fit = fitted("embedding", notes, examples, vocabulary)
    scores = notes.task.evaluate(fit, examples.held_out("test"))
    assert 0.9 < measure(notes.task, scores)["roc_auc"] <= 1
    effects = token_effects(fit, examples.everything(), notes.task, seed=1, n_tokens=len(vocabulary))
    name, added = notes.task.effects_in_words(effects, examples.training().classes)
    assert name == "log odds of town"
    found = dict(zip(vocabulary.labels, np.asarray(added), strict=True))
    assert min(found[word] for word in NOTED["town"]) > max(found[word] for word in NOTED["sea"])


def test_a_class_that_training_does_not_have_costs_no_endless_loss(write_conf: Callable[..., Path]) -> None:
    split = ["train"] * 60 + ["validation"] * 10 + ["test"] * 10
    text = ["wave gull", "street tram"] * 35 + ["moss path"] * 10
    place = ["sea", "town"] * 35 + ["woods"] * 10
    records = pl.DataFrame({"text": text, "place": place, "split": split})
    task = {"kind": "classification", "target": "place"}
    baselines = ["logistic_regression", {"kind": "pca_boosted_trees", "max_trees": 5, "dimension": 1}]
    settings = {**NOTES, "task": task, "dimensions": 1, "baselines": baselines, "split": "split"}
    settings["training"] = {"max_epochs": 2}
    conf = load(write_conf("notes", settings, records))
    vocabulary, examples = encoded_from(records, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    for method in ("embedding", "pca", "logistic_regression", "pca_boosted_trees"):
        dimension = 1 if estimator_type(method).is_swept else None
        problem = Problem(examples.training(), vocabulary, conf, dimension, examples.held_out("validation"))
        scores = conf.task.evaluate(estimator(method, conf).fit(problem), examples.held_out("test"))
        share = np.log(2 * 60 + 1)  # half an example of 60 and a half
        assert measure(conf.task, scores)["log_loss"] == pytest.approx(share, abs=1)
        assert measure(conf.task, scores)["accuracy"] == 0


@pytest.mark.parametrize("n_known", [2, 3, 20])
def test_a_linear_model_that_knows_nothing_gives_a_class_without_examples_its_share(n_known: int) -> None:
    learned = np.repeat(np.arange(n_known), 30)
    share = np.append(np.full(n_known, 30.0), 0.5) / (30 * n_known + 0.5)
    scale = {"target_classes": np.arange(n_known + 1), "target_share": share}
    clear, nothing = np.eye(n_known)[learned], np.zeros((len(learned), 1))
    coefficients, intercept = logistic(nothing, learned, 1.0, scale)
    found = special.softmax(nothing @ coefficients + intercept, axis=1)
    assert found == pytest.approx(np.tile(share, (len(learned), 1)), rel=1e-6)
    for features in (clear, sparse.csr_matrix(clear)):
        coefficients, intercept = logistic(features, learned, 1.0, scale)
        found = special.softmax(features @ coefficients + intercept, axis=1)
        assert (found[:, -1] < share[-1]).all()
        assert (found[:, -1] > share[-1] / 20).all()
        assert (found.argmax(axis=1) == learned).all()


@pytest.mark.parametrize("method", ["embedding", "pca", "logistic_regression"])
def test_examples_that_all_have_one_of_the_classes_give_it_its_share(
    method: str, write_conf: Callable[..., Path]
) -> None:
    """A half of the examples, of which a replica is learned, may have nothing else."""
    text, place = ["wave gull", "street tram"] * 30, ["sea"] * 59 + ["town"]
    records = pl.DataFrame({"text": text, "place": place, "split": ["train"] * 60})
    task = {"kind": "classification", "target": "place"}
    settings = {**NOTES, "task": task, "dimensions": 1, "baselines": ["logistic_regression"], "split": "split"}
    settings["training"] = {"max_epochs": 2}
    conf = load(write_conf("notes", settings, records))
    vocabulary, examples = encoded_from(records, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    rows = examples.training()
    of_sea = rows.cut(np.flatnonzero(rows.target == 0))
    dimension = 1 if estimator_type(method).is_swept else None
    found = estimator(method, conf).fit(Problem(of_sea, vocabulary, conf, dimension, None))
    scores = conf.task.evaluate(found, rows)
    assert measure(conf.task, scores)["accuracy"] == pytest.approx(59 / 60)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (["sea"] * 30, "one class in 30 rows, 'sea'. Name"),
        ([str(i) for i in range(30)], "30 classes in 30 rows: nearly all differ"),
    ],
)
def test_classes_that_tell_nothing_are_refused(
    place: list[str], sentence: str, write_conf: Callable[..., Path]
) -> None:
    records = pl.DataFrame({"text": ["wave gull", "street tram"] * 15, "place": place})
    settings = {**NOTES, "task": {"kind": "classification", "target": "place"}}
    conf = load(write_conf("notes", settings, records))
    with pytest.raises(PipelineError, match=rf"notes.yaml, task.target: 'place' has .*{sentence}"):
        encoded_from(records, conf)


def test_training_examples_that_all_have_one_class_are_refused(write_conf: Callable[..., Path]) -> None:
    """The records have two classes, but the split leaves one of them to the test."""
    split, place = ["train"] * 20 + ["validation"] * 5 + ["test"] * 5, ["sea"] * 25 + ["town"] * 5
    records = pl.DataFrame({"text": ["wave gull", "street tram"] * 15, "place": place, "split": split})
    task = {"kind": "classification", "target": "place"}
    conf = load(write_conf("notes", {**NOTES, "task": task, "split": "split"}, records))
    _, examples = encoded_from(records, conf)
    with pytest.raises(PipelineError, match=r"notes.yaml, task.target: all 20 training examples have place = 'sea'"):
        conf.task.require_answers(examples, conf.file)


def test_classes_with_few_examples_are_told(write_conf: Callable[..., Path]) -> None:
    counts = {"sea": 30, "town": 20, "woods": 1, "hills": 4}
    place = [name for name, n in counts.items() for _ in range(n)]
    records = pl.DataFrame({"text": ["wave gull"] * len(place), "place": place})
    conf = load(write_conf("notes", {**NOTES, "task": {"kind": "classification", "target": "place"}}, records))
    _, examples = encoded_from(records, conf)
    told = conf.task.rests_on_few(examples)
    assert told is not None
    assert told.startswith("Classes with fewer than 10 examples, 2 of 4: woods (1), hills (4). What is learned")
    frequent = records.filter(pl.col("place").is_in(["sea", "town"]))
    assert conf.task.rests_on_few(encoded_from(frequent, conf)[1]) is None
