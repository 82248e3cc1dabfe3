"""All fits of a dataset side by side, measured on the same held-out examples, and what their differences show.

Intervals and verdicts come from `evaluation`; this module puts them together for people.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.config.task import Task
from pipeline.estimators import EMBEDDING, PCA, estimator_type, run_name
from pipeline.evaluation.bootstrap import resampled
from pipeline.evaluation.metrics import judged_part, measure
from pipeline.evaluation.seeds import SeedChance
from pipeline.experiment.comparison_rows import (
    about_examples,
    differences,
    n_telling,
    place,
    row_of,
    with_intervals,
)
from pipeline.experiment.dimensions import chosen_dimensions, worth_in_pca
from pipeline.experiment.fits import OF_REPLICAS, Fit
from pipeline.pictures.sweep import draw_sweep
from pipeline.vocabulary.vocabulary import rule_of_thumb


@dataclass(frozen=True)
class Comparison:
    """The metrics of all fits, and the differences between them."""

    frame: pl.DataFrame
    """One row for each fit: dataset, method, dimension, fit (its name), run_id, experiment_id, reused, fit_seconds,
    stability and replica_seconds (null for a fit without replicas), then each metric, with `_low` and `_high`, the
    ends of its interval."""
    differences: pl.DataFrame
    """One row for each metric and ordered pair of fits: fit, against, metric, difference, low, high, verdict."""
    about: Mapping[str, Any]
    """part, n_examples, n_groups (None without groups), alike (the most frequent answer, and how many examples have it;
    None where tokens are the answer), seeds (how many the intervals cover), vocabulary_size, metrics
    (name -> meaning, the primary one first), lower_is_better and shows_signal (the names of those), predicts_tokens,
    weight (a column, or None), split (a sentence, or None), best and smallest (learned D, by validation),
    chosen_by (how many examples, or groups, validated), n_validation and n_validation_alike (how many examples, and how
    many of them have the most frequent answer), worth (learned D -> PCA's D)."""

    @classmethod
    def of(
        cls,
        fits: Sequence[Fit],
        vocabulary_size: int,
        task: Task,
        scores: Mapping[str, Sequence[pl.DataFrame]],
        weight: str | None = None,
        split: str | None = None,
    ) -> "Comparison":
        """Put finished fits side by side, sorted by D and then in the order given.

        Args:
            fits: at least one.
            vocabulary_size: V.
            task: what was learned.
            scores: by part (validation, test) the results of the task's `evaluate`, one for each fit in their order, or
                none.
            weight: the column that says how much tokens count, if there is one.
            split: how time or groups divide what is learned from and what is tested, as a sentence, if they do.

        Raises:
            PipelineError: the fits were not evaluated on the same examples.
        """
        order = sorted(range(len(fits)), key=lambda i: place(fits[i]))
        fits = [fits[i] for i in order]
        evaluated = {part: [frames[i] for i in order] for part, frames in scores.items() if frames}
        part = judged_part(evaluated)
        frames = evaluated.get(part or "", [])
        chance = [SeedChance.from_metrics(fit.metrics) for fit in fits]
        drawn = [
            of.widened(values, fit.name) for of, values, fit in zip(chance, resampled(task, frames), fits, strict=False)
        ]
        values = [measure(task, frame) for frame in frames]
        metrics = [metric for metric in task.metrics if values and metric.name in values[0]]
        telling = n_telling(frames[0]) if frames else 0
        rows = [row_of(fit) for fit in fits]
        for row, of_fit, of_draws in zip(rows, values, drawn, strict=False):
            row.update(with_intervals(of_fit, of_draws, telling))
        about = {
            "part": part or "no",
            **about_examples(frames),
            "seeds": max(of.seeds for of in chance),
            "vocabulary_size": vocabulary_size,
            "metrics": {metric.name: metric.meaning for metric in metrics},
            "shows_signal": [metric.name for metric in metrics if metric.shows_signal],
            "lower_is_better": [metric.name for metric in metrics if not metric.higher_is_better],
            "weight": weight,
            "predicts_tokens": task.predicts_tokens,
            "split": split,
            **chosen_dimensions(fits, evaluated.get("validation", []), task),
            "worth": worth_in_pca(fits, values, task),
        }
        frame = pl.DataFrame(rows, schema_overrides=dict.fromkeys(OF_REPLICAS, pl.Float64))
        return cls(frame, differences(fits, metrics, values, drawn, telling), about)

    @property
    def metrics(self) -> list[str]:
        """Names of the task's metrics, the primary one first; none if nothing was held out."""
        return list(self.about["metrics"])

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The fits that are compared, in the table's order, with the metrics that they are compared by."""
        names = [*self.metrics, "fit_seconds", *OF_REPLICAS]
        return tuple(
            Fit(
                **{name: row[name] for name in ("dataset", "method", "dimension", "run_id", "experiment_id", "reused")},
                metrics={name: row[name] for name in names if row[name] is not None},
            )
            for row in self.frame.iter_rows(named=True)
        )

    @property
    def swept(self) -> tuple[Fit, ...]:
        """The fits that have a latent space and a D to choose: the learned ones, PCA and others."""
        return tuple(fit for fit in self.fits if estimator_type(fit.method).is_swept)

    @property
    def swept_methods(self) -> list[str]:
        """The methods with a D to choose: the learned embedding, then PCA, then others."""
        return [EMBEDDING, PCA, *sorted({fit.method for fit in self.swept} - {EMBEDDING, PCA})]

    @property
    def best(self) -> Fit:
        """The learned fit that is best on validation; without validation, the one with the most dimensions."""
        return next(fit for fit in self.fits if fit.method == EMBEDDING and fit.dimension == self.about["best"])

    @property
    def taken(self) -> int | None:
        """The D to take: the smallest learned one that validation finds as good as the best."""
        dimension: int | None = self.about["smallest"] or self.about["best"]
        return dimension

    def method(self, fit: str) -> str:
        """The method of a fit, by its name."""
        return str(self.frame.row(by_predicate=pl.col("fit") == fit, named=True)["method"])

    def verdict(self, fit: str, against: str, metric: str) -> dict[str, Any]:
        """The row of `differences` for two fits, by their names, and a metric."""
        return self.differences.row(
            by_predicate=(pl.col("fit") == fit) & (pl.col("against") == against) & (pl.col("metric") == metric),
            named=True,
        )

    def told_pairs(self) -> list[tuple[str, str]]:
        """Pairs that people ask for: learned against others of the same D, the one to take against fits without a D."""
        learned, fits = self.frame.filter(method=EMBEDDING)["dimension"], set(self.frame["fit"])
        pairs = product(self.swept_methods[1:], learned)
        same = [(run_name(EMBEDDING, d), other) for method, d in pairs if (other := run_name(method, d)) in fits]
        others = self.frame.filter(~pl.col("method").is_in(self.swept_methods))["fit"]
        return same + [(run_name(EMBEDDING, self.taken), other) for other in others if self.taken is not None]

    def save(self, folder: Path) -> None:
        """Write `comparison.parquet`, `differences.parquet` and the picture `sweep.png`."""
        self.frame.write_parquet(folder / "comparison.parquet", metadata={"about": json.dumps(self.about)})
        self.differences.write_parquet(folder / "differences.parquet")
        self.draw_sweep(folder / "sweep.png")

    def draw_sweep(self, path: Path, is_narrow: bool = False) -> None:
        """Draw quality, paired differences and cost, for a page or for a phone, unless nothing was held out."""
        if self.metrics:
            draw_sweep(
                self.frame,
                self.swept_methods,
                self.metrics[0],
                self.metrics[0] not in self.about["lower_is_better"],
                self.about["best"] if self.about["smallest"] is not None else None,
                rule_of_thumb(self.about["vocabulary_size"]),
                [self.verdict(*pair, self.metrics[0]) for pair in self.told_pairs()],
                path,
                is_narrow,
            )

    @classmethod
    def load(cls, folder: Path) -> "Comparison":
        """Read what `save` wrote."""
        path = folder / "comparison.parquet"
        about = json.loads(pl.read_parquet_metadata(path)["about"])
        about["worth"] = {int(d): pca for d, pca in about["worth"].items()}
        return cls(pl.read_parquet(path), pl.read_parquet(folder / "differences.parquet"), about)
