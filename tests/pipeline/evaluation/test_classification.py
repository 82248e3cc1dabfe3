import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from pipeline.evaluation.classification import classification_metrics, roc_auc


@given(st.integers(0, 10_000))
def test_weighted_metrics_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, names = 40, np.array(["a", "b", "c", "d"])
    target, predicted = names[random.integers(3, size=n)], names[random.integers(4, size=n)]
    probability, weights = random.uniform(0.1, 1, n), random.integers(0, 3, (5, n)) + 0.0
    weights[:, 0] = 1
    found = classification_metrics(target, predicted, probability, weights)
    for i, w in enumerate(weights):
        there = sorted({*target[w > 0], *predicted[w > 0]})
        expected = {
            "log_loss": np.average(-np.log(probability), weights=w),
            "accuracy": metrics.accuracy_score(target, predicted, sample_weight=w),
            "macro_f1": metrics.f1_score(
                target, predicted, sample_weight=w, average="macro", labels=there, zero_division=0.0
            ),
        }
        assert {name: values[i] for name, values in found.items()} == pytest.approx(expected)


@given(st.integers(0, 10_000))
def test_the_weighted_area_under_the_curve_is_that_of_scikit_learn(seed: int) -> None:
    """The scores have one digit, so that many are equal."""
    random = np.random.default_rng(seed)
    positive, score = np.append([True, False], random.random(40) < 0.3), random.integers(0, 10, 42) / 10
    weights = random.integers(0, 3, (5, 42)) + 0.0
    weights[:, :2] = 1
    expected = [metrics.roc_auc_score(positive, score, sample_weight=w) for w in weights]
    assert roc_auc(positive, score, weights) == pytest.approx(np.array(expected))


def test_without_one_of_two_classes_there_is_no_area() -> None:
    assert np.isnan(roc_auc(np.array([True, False]), np.array([0.2, 0.1]), np.array([[1.0, 0.0]]))).all()


def test_of_several_folds_only_examples_of_one_are_compared() -> None:
    """A fold has the share of the positive among the others as its score: of all folds, the order is the wrong one."""
    positive, fold = np.array([True, False] * 3 + [False] * 3), np.repeat([0, 1, 2], 3)
    share = np.array([np.mean(positive[fold != one]) for one in fold])
    weights = np.ones((1, 9))
    assert roc_auc(positive, share, weights)[0] < 0.4
    assert roc_auc(positive, share, weights, fold)[0] == 0.5
    each = [metrics.roc_auc_score(positive[fold == one], share[fold == one]) for one in (0, 1)]
    assert roc_auc(positive, share, weights, fold)[0] == pytest.approx(np.mean(each))
