"""The task of regression: which number belongs to a list?"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import dataframely as dy
import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from pipeline.arrays import Array
from pipeline.config.task import Number
from pipeline.embedding import Fitted
from pipeline.evaluation.metrics import Metric
from pipeline.evaluation.regression import regression_metrics
from pipeline.examples.beside import Beside, numbers_of
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import TargetScale
from pipeline.tasks.target import TargetTask, Weights
from pipeline.tasks.target_training import TargetTraining

MANY_PRODUCTS = 10**9
"""Multiplications of a least-squares problem, above which it gets all threads."""


class RegressionScores(dy.Schema):
    """The prediction for one held-out example, in the target's unit."""

    example = dy.String(primary_key=True, description="id of the example")
    target = dy.Float64(description="the true number")
    predicted = dy.Float64(description="the predicted number")


class Regression(TargetTask):
    """Which number belongs to this list?"""

    answers_with: ClassVar[str] = "pipeline.inference.predictor.NumberPredictor"
    usual_baselines: ClassVar[tuple[str, ...]] = ("mean", "ridge")
    learner: ClassVar[str] = "pipeline.network.regression_module"
    answer_role: ClassVar[str] = "the number to predict"

    kind: Literal["regression"]
    target: str
    """The column with the number to predict."""
    log: bool = True
    """Train on the logarithm: for prices and other numbers above 0."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics of the number in its unit; if its logarithm is learned, the metrics of the logarithm come first."""
        error, is_plain = {"higher_is_better": False, "depends_on_spread": True}, not self.log
        of_log = (
            Metric("rmse_log", "root mean squared error of the target's logarithm", **error),
            Metric("r2_log", "share of the variance of the target's logarithm that is explained"),
        )
        of_number = (
            Metric("rmse", "root mean squared error, in the target's unit", **error, shows_signal=is_plain),
            Metric("mae", "mean absolute error, in the target's unit", **error, shows_signal=False),
            Metric("r2", "share of the target's variance that is explained", shows_signal=is_plain),
        )
        return of_log + of_number if self.log else of_number

    def beside(self, used: pl.LazyFrame, ids: pl.Series, where: str) -> Beside:
        """The number and the dense features of each example.

        Raises:
            PipelineError: the rows of one example disagree.
        """
        numbers = numbers_of(used, ids, (self.target, *self.dense), where)
        return Beside(numbers[:, 0], numbers[:, 1:], self.dense)

    def numbers(self) -> list[Number]:
        """The target, and the dense features."""
        return [
            Number("task.target", self.target, "and has no logarithm" if self.log else ""),
            *super().numbers(),
        ]

    def scale(self, training: ExampleSet) -> dict[str, Array]:
        """Mean and standard deviation of the target, or of its logarithm if `log` is set."""
        return TargetScale.fit(training.target, self.log).weights

    def learned(self, target: Array, scale: Weights) -> Array:
        """(N,) the standardised targets: mean 0 and standard deviation 1 on the training examples."""
        return TargetScale.of(scale).forward(target)

    def prior(self, scale: Weights) -> Array:
        """0, the mean of the standardised targets."""
        return np.zeros(1)

    def answers(self, outputs: Array, scale: Weights) -> Array:
        """(N,) in the target's unit; of a logged target this is the median, not the mean."""
        return TargetScale.of(scale).inverse(outputs.reshape(len(outputs)))

    def linear(self, features: Array, learned: Array, scale: Weights) -> tuple[Array, Array]:
        """Linear regression by least squares."""
        from sklearn.linear_model import LinearRegression
        from threadpoolctl import threadpool_limits

        # the threads of a small problem only wait for each other, on a busy machine for a hundred times its work
        few = len(features) * features.shape[1] ** 2 < MANY_PRODUCTS
        with threadpool_limits(1 if few else None, "blas"):
            head = LinearRegression().fit(features, learned)
        return head.coef_, np.array(head.intercept_)

    def trees(self, **settings: Any) -> Any:
        """scikit-learn's regressor, not fitted yet."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(**settings)

    def answers_of_trees(self, trees: Any, features: Array, scale: Weights) -> Array:
        """(N,) in the target's unit."""
        return self.answers(trees.predict(features), scale)

    def losses_of_trees(self, trees: Any, features: Array, learned: Array) -> Iterator[Array]:
        """The squared errors."""
        return (np.square(predicted - learned) for predicted in trees.staged_predict(features))

    def scores(self, fitted: Fitted, rows: ExampleSet) -> pl.DataFrame:
        """A frame of `RegressionScores`."""
        predicted = fitted.score(rows.inputs.csr(), rows.dense).astype(np.float64)
        return RegressionScores.validate(
            pl.DataFrame({"example": rows.ids, "target": rows.target, "predicted": predicted})
        )

    def weighted_metrics(self, scores: pl.DataFrame, weights: Array) -> dict[str, Array]:
        """The metrics of `regression_metrics`."""
        return regression_metrics(scores["target"].to_numpy(), scores["predicted"].to_numpy(), self.log, weights)

    def interval(self, predicted: Array, half_width: float) -> tuple[Array, Array]:
        """(N,) both ends of an interval around predicted numbers (N,).

        Args:
            predicted: in the target's unit.
            half_width: on the scale of `errors`.
        """
        if self.log:
            return predicted / np.exp(half_width), predicted * np.exp(half_width)
        return predicted - half_width, predicted + half_width

    def errors(self, scores: pl.DataFrame) -> Array:
        """(N,) how far predictions are off: absolute differences of the numbers, or of their logarithms.

        Args:
            scores: what `evaluate` gave.
        """
        return np.abs(self.effect(scores["target"].to_numpy()) - self.effect(scores["predicted"].to_numpy()))

    def effect(self, answers: Array) -> npt.NDArray[np.float64]:
        """The number, or its logarithm if that is learned."""
        return np.log(answers) if self.log else answers

    def effects_in_words(
        self, effects: npt.NDArray[np.float64], classes: tuple[str, ...]
    ) -> tuple[str, list[str] | npt.NDArray[np.float64]]:
        """The change in the number; a relative change if its logarithm is learned."""
        return f"what it does to {self.target}", np.expm1(effects) if self.log else effects

    def effect_text(self, effect: float) -> str:
        """A change in the number; percent of it if its logarithm is learned."""
        return f"{effect:+.1%}" if self.log else super().effect_text(effect)


class RegressionTraining(TargetTraining):
    """How the network that predicts a number is trained."""

    # the probabilities of classes gained nothing by either on held-out examples
    several: ClassVar[int] = 4
    most_doublings: ClassVar[int] = 2

    kind: Literal["regression"] = Field("regression", repr=False)
    huber: float | None = Field(None, gt=0)
    """Errors larger than this (in standard deviations of the target) count linearly, not squared. Default: 1. But where
    `log` is false, and errors are so skewed that answers would be too low or too high on average beyond doubt, as of
    many zeros and a few large numbers, all count squared."""
