"""The task of classification: which class belongs to a list?"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field
from scipy import sparse, special

from pipeline.arrays import Array
from pipeline.embedding import Fitted
from pipeline.errors import PipelineError
from pipeline.evaluation.classification import classification_metrics, roc_auc
from pipeline.evaluation.metrics import Metric
from pipeline.examples.beside import Beside, numbers_of, one_row_each
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.records.pairs.used_records import EXAMPLE
from pipeline.tasks.target import TargetTask, Weights
from pipeline.tasks.target_training import TargetTraining

LEAST_PROBABILITY = 1e-6
"""Probabilities are raised to this: a class that no training example has would otherwise give an infinite loss."""
FEW_EXAMPLES = 10
"""A class with fewer is told to people."""
_NAMED = 5
"""Classes that are named, at most."""


class ClassScores(dy.Schema):
    """The prediction for one held-out example."""

    example = dy.String(primary_key=True, description="id of the example")
    target = dy.String(description="the true class")
    predicted = dy.String(description="the most probable class")
    probability = dy.Float64(min=0, max=1, description="of the true class")
    second = dy.Float64(nullable=True, description="where there are two classes, the probability of the second")


class Classification(TargetTask):
    """Which class belongs to this list? Softmax over any number of classes."""

    answers_with: ClassVar[str] = "pipeline.inference.predictor.ClassPredictor"
    usual_baselines: ClassVar[tuple[str, ...]] = ("most_frequent_class", "logistic_regression")
    learner: ClassVar[str] = "pipeline.network.classification_module"
    answer_role: ClassVar[str] = "the class to predict"

    kind: Literal["classification"]
    target: str
    """The column with the class to predict: its values, as text."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The log loss comes first: the probabilities tell more than the most probable class alone."""
        return (
            Metric("log_loss", "minus the logarithm of the true class's probability, mean", higher_is_better=False),
            Metric("accuracy", "share of the examples whose most probable class is the true one"),
            Metric(
                "macro_f1",
                "F1 of each class, the harmonic mean of precision and recall, and the mean of those",
                shows_signal=False,
            ),
            Metric(
                "roc_auc", "how often an example of one of two classes has a higher score for it than one of the other"
            ),
        )

    def beside(self, used: pl.LazyFrame, ids: pl.Series, where: str) -> Beside:
        """The class of each example, as an index into the sorted names of the classes, and the dense features.

        Raises:
            PipelineError: the rows of one example disagree, or there are too few or too many classes to learn from.
        """
        named = used.select(example=EXAMPLE, target=pl.col(self.target).cast(pl.String))
        texts = one_row_each(named.collect(engine="streaming"), ids, [self.target], where)["target"]
        classes = texts.unique().sort()
        if not 2 <= len(classes) <= len(texts) / 2:
            several = f"{len(classes)} classes in {len(texts)} rows: nearly all differ"
            holds = f"one class in {len(texts)} rows, {classes[0]!r}" if len(classes) == 1 else several
            raise PipelineError(
                f"{where}, task.target: {self.target!r} has {holds}. Name a column of which several examples share a "
                "value; for a number say `kind: regression`."
            )
        index = texts.replace_strict(classes, pl.int_range(len(classes), eager=True), return_dtype=pl.Float64)
        dense = numbers_of(used, ids, self.dense, where)
        return Beside(index.to_numpy(), dense, self.dense, tuple(classes.to_list()))

    def rests_on_few(self, examples: SparseExamples) -> str | None:
        """A sentence about the classes with the fewest examples, if these are fewer than `FEW_EXAMPLES`."""
        classes = examples.about["classes"]
        counts = np.bincount(examples.target.astype(np.int64), minlength=len(classes))
        rare = np.flatnonzero(counts < FEW_EXAMPLES)
        if not len(rare):
            return None
        fewest = rare[np.argsort(counts[rare], kind="stable")[:_NAMED]]
        named = ", ".join(f"{classes[i]} ({counts[i]})" for i in fewest)
        of_many = "" if len(rare) <= _NAMED else ", and others"
        return (
            f"Classes with fewer than {FEW_EXAMPLES} examples, {len(rare):,} of {len(classes):,}: {named}{of_many}. "
            "What is learned and measured of them rests on chance."
        )

    def scale(self, training: ExampleSet) -> dict[str, Array]:
        """The names of the classes and their shares of the training examples; a class without any counts as half."""
        counts = np.bincount(training.target.astype(np.int64), minlength=len(training.classes))
        share = np.maximum(counts, 0.5) / np.maximum(counts, 0.5).sum()
        return {"target_classes": np.array(training.classes), "target_share": share}

    def learned(self, target: Array, scale: Weights) -> Array:
        """(N,) the index of each example's class, as an integer."""
        return target.astype(np.int64)

    def prior(self, scale: Weights) -> Array:
        """The logarithms of the classes' shares."""
        return np.log(scale["target_share"])

    def answers(self, outputs: Array, scale: Weights) -> Array:
        """Probabilities (N, C) from logits (N, C), raised to `LEAST_PROBABILITY` and scaled to a sum of 1."""
        return _at_least(special.softmax(outputs, axis=1))

    def linear(self, features: Array, learned: Array, scale: Weights) -> tuple[Array, Array]:
        """Logistic regression on standardised features; 1/2 times the squared coefficients is added to the loss."""
        mean, std = features.mean(axis=0), features.std(axis=0)
        std = np.where(std > 0, std, 1.0)
        coefficients, intercept = logistic((features - mean) / std, learned, 1.0, scale)
        coefficients = coefficients / std[:, None]
        return coefficients, intercept - mean @ coefficients

    def trees(self, **settings: Any) -> Any:
        """scikit-learn's classifier, not fitted yet."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(**settings)

    def answers_of_trees(self, trees: Any, features: Array, scale: Weights) -> Array:
        """(N, C) the probability of each class; one that no training example has gets its share, as in `scale`."""
        probabilities = np.tile(scale["target_share"], (len(features), 1))
        known = 1 - np.delete(scale["target_share"], trees.classes_).sum()
        probabilities[:, trees.classes_] = known * trees.predict_proba(features)
        return _at_least(probabilities)

    def losses_of_trees(self, trees: Any, features: Array, learned: Array) -> Iterator[Array]:
        """Minus the logarithm of the true class's probability."""
        column = np.searchsorted(trees.classes_, learned).clip(max=len(trees.classes_) - 1)
        is_known = trees.classes_[column] == learned
        for probabilities in trees.staged_predict_proba(features):
            of_true_class = np.where(is_known, probabilities[np.arange(len(learned)), column], 0.0)
            yield -np.log(np.maximum(of_true_class, LEAST_PROBABILITY))

    def scores(self, fitted: Fitted, rows: ExampleSet) -> pl.DataFrame:
        """A frame of `ClassScores`."""
        probabilities = fitted.score(rows.inputs.csr(), rows.dense).astype(np.float64)
        target, names = rows.target.astype(np.int64), pl.Series(rows.classes, dtype=pl.String)
        return ClassScores.validate(
            pl.DataFrame(
                {
                    "example": rows.ids,
                    "target": names.gather(target),
                    "predicted": names.gather(probabilities.argmax(axis=1)),
                    "probability": probabilities[np.arange(len(target)), target].clip(0, 1),
                    "second": probabilities[:, 1] if len(names) == 2 else pl.repeat(None, len(target), eager=True),
                },
                schema_overrides={"second": pl.Float64},
            )
        )

    def weighted_metrics(self, scores: pl.DataFrame, weights: Array) -> dict[str, Array]:
        """The metrics of `classification_metrics`, and `roc_auc` if there are two classes."""
        target, predicted = scores["target"].to_numpy(), scores["predicted"].to_numpy()
        metrics = classification_metrics(target, predicted, scores["probability"].to_numpy(), weights)
        if len(set(target)) == 2 and scores["second"].null_count() == 0:
            fold = scores["fold"].to_numpy() if "fold" in scores.columns else None
            metrics["roc_auc"] = roc_auc(target == max(target), scores["second"].to_numpy(), weights, fold)
        return metrics

    def effect(self, answers: Array) -> npt.NDArray[np.float64]:
        """The logarithms of the probabilities."""
        return np.log(answers)

    def effects_in_words(
        self, effects: npt.NDArray[np.float64], classes: tuple[str, ...]
    ) -> tuple[str, list[str] | npt.NDArray[np.float64]]:
        """For two classes, the change in the log odds of the second; for more, the class that a token favours most."""
        if len(classes) == 2:
            return f"log odds of {classes[1]}", effects[:, 1] - effects[:, 0]
        return f"{self.target} that it speaks for", [classes[i] for i in effects.argmax(axis=1)]


class ClassificationTraining(TargetTraining):
    """How the network that predicts a class is trained."""

    most_epochs: ClassVar[int] = 30  # it begins at what is solved for: after more it believes more of what is chance
    kind: Literal["classification"] = Field("classification", repr=False)


def logistic(
    features: Array | sparse.csr_matrix, learned: Array, regularisation: float, scale: Weights
) -> tuple[Array, Array]:
    """Coefficients (K, C) and intercept (C,) of a multinomial logistic regression.

    A class that no training example has gets coefficients of 0 and the logarithm of its share as its intercept. So does
    the only one that they have, as in a half of examples of which few have another. Of all logits that say the same of
    the classes that they have, those are taken whose mean, weighted by these classes' shares, is that of the logarithms
    of the shares. So the others have their share where nothing tells these apart, and never more (Gibbs' inequality).
    """
    from sklearn.linear_model import LogisticRegression

    coefficients, intercept = np.zeros((features.shape[1], len(scale["target_classes"]))), np.log(scale["target_share"])
    if len(np.unique(learned)) == 1:
        return coefficients, intercept
    model = LogisticRegression(C=1 / regularisation, solver="newton-cg", tol=1e-8, max_iter=1000)
    model.fit(features, learned)
    if len(model.classes_) == 2:  # scikit-learn gives the log odds of the second class
        coefficients[:, model.classes_[1]] = model.coef_[0]
        intercept[model.classes_] = 0, model.intercept_[0]
    else:
        coefficients[:, model.classes_], intercept[model.classes_] = model.coef_.T, model.intercept_
    if len(model.classes_) < len(intercept):
        known = scale["target_share"][model.classes_]
        coefficients[:, model.classes_] -= (coefficients[:, model.classes_] @ known / known.sum())[:, None]
        intercept[model.classes_] += (np.log(known) - intercept[model.classes_]) @ known / known.sum()
    return coefficients, intercept


def _at_least(probabilities: Array) -> Array:
    raised = np.maximum(probabilities, LEAST_PROBABILITY)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
