"""All fits of a dataset side by side, measured on the same held-out examples, and what their differences show.

Intervals and verdicts are made in `intervals`; here they are put together for people.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.evaluation import HIGHER_IS_BETTER, METRICS, goodness, measure
from pipeline.fitting import Fit
from pipeline.intervals import LEVEL, ROUNDING, difference, interval, resampled
from pipeline.methods import METHODS
from pipeline.pictures import draw_sweep
from pipeline.tuning import first_of_the_best
from pipeline.vocabulary import rule_of_thumb

Array = npt.NDArray[Any]

TOLD = 2
"""So many metrics of a task, the most telling ones, get a verdict in what people read; the files have all."""


@dataclass(frozen=True)
class Comparison:
    """What the fits are worth, and against each other."""

    frame: pl.DataFrame
    """One row a fit: dataset, method, dimension, fit (its name), run_id, experiment_id, reused, fit_seconds, then each
    metric, with `_low` and `_high`, the ends of its 95 % interval."""
    differences: pl.DataFrame
    """One row a metric and ordered pair: fit, against, metric, difference, low, high, verdict."""
    about: Mapping[str, Any]
    """part, n_examples, vocabulary_size, best and smallest (learned D, by validation), worth (learned D -> PCA's D)."""

    @classmethod
    def of(
        cls,
        fits: Sequence[Fit],
        vocabulary_size: int,
        logs: bool,
        scores: Mapping[str, Sequence[pl.DataFrame]],
    ) -> "Comparison":
        """Put finished fits side by side, by D and then in the order given.

        Args:
            fits: at least one.
            vocabulary_size: V.
            logs: the target was trained in logs.
            scores: by part (validation, test) what `evaluation.judge` gave of each fit, in their order, or nothing.

        Raises:
            PipelineError: the fits were not judged on the same examples.
        """
        order = sorted(range(len(fits)), key=lambda i: _place(fits[i]))
        fits = [fits[i] for i in order]
        judged = {part: [frames[i] for i in order] for part, frames in scores.items() if frames}
        part = next((part for part in ("test", "validation") if part in judged), "no")
        frames = judged.get(part, [])
        drawn = resampled(frames, logs)
        values = [measure(frame, logs) for frame in frames]
        n_examples = frames[0].height if frames else 0
        rows = [_row(fit) for fit in fits]
        for row, of_fit, of_draws in zip(rows, values, drawn, strict=False):
            for name in of_fit:
                found = interval(of_draws[name], n_examples)
                row |= {name: of_fit[name], f"{name}_low": found.low, f"{name}_high": found.high}
        pairs = [
            {"fit": fits[i].name, "against": fits[j].name, "metric": name}
            | _difference(name, (values[i][name], drawn[i][name]), (values[j][name], drawn[j][name]), n_examples)
            for i, j in permutations(range(len(values)), 2)
            for name in _ordered(values[i])
        ]
        chosen = _chosen(fits, judged.get("validation", []), logs)
        about = {
            "part": part,
            "n_examples": n_examples,
            "vocabulary_size": vocabulary_size,
            **chosen,
            "worth": _worth(fits, values),
        }
        return cls(pl.DataFrame(rows), pl.DataFrame(pairs, schema=_DIFFERENCES), about)

    @property
    def metrics(self) -> list[str]:
        """The metrics of the task, the most telling first."""
        return [name for name in HIGHER_IS_BETTER if name in self.frame.columns]

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The fits that are compared, in the table's order, with the metrics that they are compared by."""
        names = [*self.metrics, "fit_seconds"]
        return tuple(
            Fit(
                **{name: row[name] for name in ("dataset", "method", "dimension", "run_id", "experiment_id", "reused")},
                metrics={name: row[name] for name in names},
            )
            for row in self.frame.iter_rows(named=True)
        )

    @property
    def swept(self) -> tuple[Fit, ...]:
        """Those fits that have a latent space and a D to choose: the learned ones and PCA."""
        return tuple(fit for fit in self.fits if METHODS[fit.method].swept)

    @property
    def best(self) -> Fit:
        """The learned fit that is best on validation; where nothing was, the one with the most dimensions."""
        return next(fit for fit in self.fits if fit.method == "embedding" and fit.dimension == self.about["best"])

    def verdict(self, fit: str, against: str, metric: str) -> dict[str, Any]:
        """The row of `differences` for two fits, by their names, and a metric."""
        return self.differences.row(
            by_predicate=(pl.col("fit") == fit) & (pl.col("against") == against) & (pl.col("metric") == metric),
            named=True,
        )

    def told_pairs(self) -> list[tuple[str, str]]:
        """The pairs that people ask for: learned against PCA of the same D; the best learned one against each rival."""
        learned = self.frame.filter(method="embedding")
        same = [
            (f"embedding D={d}", f"pca D={d}") for d in learned["dimension"] if f"pca D={d}" in set(self.frame["fit"])
        ]
        rivals = self.frame.filter(~pl.col("method").is_in(["embedding", "pca"]))["fit"]
        best = self.about["best"]
        return same + [(f"embedding D={best}", rival) for rival in rivals if best is not None]

    def cells(self, n_metrics: int | None = None) -> list[list[str]]:
        """The table as people read it: a head, then a row a fit; each metric with half the width of its interval."""
        metrics = self.metrics[:n_metrics]
        columns = [[self._written(name, row) for row in self.frame.iter_rows(named=True)] for name in metrics]
        seconds = [f"{value:,.1f}" for value in self.frame["fit_seconds"]]
        head = [self.frame["dataset"][0], *metrics, "fit, s"]
        return [head, *map(list, zip(self.frame["fit"], *columns, seconds, strict=True))]

    def _written(self, name: str, row: Mapping[str, Any]) -> str:
        value, half = row[name], (row[f"{name}_high"] - row[f"{name}_low"]) / 2
        digits = 0 if abs(value) >= 1000 else 4
        return f"{value:,.{digits}f}" + (f" ±{half:,.{digits}f}".replace("±0.", "±.") if np.isfinite(half) else "")

    def verdict_cells(self) -> list[list[str]]:
        """The verdicts as people read them: a head, then a row a pair."""
        metrics = self.metrics[:TOLD]
        rows = [["fit", "against", *metrics]]
        for fit, against in self.told_pairs() if metrics else []:
            found = [self.verdict(fit, against, name) for name in metrics]
            rows.append([fit, against, *map(_told, found)])
        return rows

    def sentences(self) -> list[str]:
        """What the table means, a sentence each."""
        size = self.about["vocabulary_size"]
        thumb = f"fourth root of V = {size:,}: D = {rule_of_thumb(size):.1f}"
        if not self.metrics:
            return [f"no example is held out, so nothing was measured; {thumb}"]
        n = self.about["n_examples"]
        said = [
            f"measured on the {n:,} {self.about['part']} examples; ± and brackets: {LEVEL:.0%} intervals of a "
            "bootstrap over them, paired for differences"
        ]
        best, smallest = self.about["best"], self.about["smallest"]
        if smallest is not None:
            said.append(
                f"which D: validation finds D={best} best, and D={smallest} is the smallest that is not worse by more "
                f"than one standard error; {thumb}"
            )
        else:
            said.append(thumb)
        most = max(self.frame.filter(method="pca")["dimension"], default=0)
        for learned, pca in self.about["worth"].items():
            reached = f"pca needs D={pca}" if pca else f"pca does not reach it up to D={most}"
            said.append(f"what {self.metrics[0]} embedding D={learned} has: {reached}")
        return said + self._nothing_found()

    def _nothing_found(self) -> list[str]:
        """Says so where the best learned fit is not shown to be better than the rival that ignores the example."""
        blind = [name for name in ("popularity", "mean") if name in set(self.frame["method"])]
        best = self.about["best"]
        if not blind or best is None:
            return []
        found = self.verdict(f"embedding D={best}", blind[0], self.metrics[0])["verdict"]
        said = f"no signal shown: no learned embedding is shown to be better than {blind[0]}, which ignores the example"
        return [] if found == "better" else [said]

    def markdown(self) -> str:
        """The table for an asset's page: the most telling metrics."""
        return _markdown(self.cells(TOLD))

    def verdicts_markdown(self) -> str:
        """The verdicts for an asset's page."""
        return _markdown(self.verdict_cells())

    def text(self) -> str:
        """Everything for a terminal: the table, the verdicts, and what they mean."""
        lines = _aligned(self.cells(), left=1)
        verdicts = self.verdict_cells()
        if len(verdicts) > 1:
            lines += ["", *_aligned(verdicts, left=len(verdicts[0]))]
        return "\n".join([*lines, "", *self.sentences()])

    def save(self, folder: Path) -> None:
        """Write `comparison.parquet`, `differences.parquet` and the picture `sweep.png`."""
        self.frame.write_parquet(folder / "comparison.parquet", metadata={"about": json.dumps(self.about)})
        self.differences.write_parquet(folder / "differences.parquet")
        if self.metrics:
            draw_sweep(self.frame, self.metrics[0], rule_of_thumb(self.about["vocabulary_size"]), folder / "sweep.png")

    @classmethod
    def load(cls, folder: Path) -> "Comparison":
        """Read what `save` wrote."""
        path = folder / "comparison.parquet"
        about = json.loads(pl.read_parquet_metadata(path)["about"])
        about["worth"] = {int(d): pca for d, pca in about["worth"].items()}
        return cls(pl.read_parquet(path), pl.read_parquet(folder / "differences.parquet"), about)


COLUMNS = {
    "dataset": "the dataset",
    "method": "embedding, pca, or a rival",
    "dimension": "D; 1 for a rival without one",
    "fit": "the name of the fit",
    "run_id": "its run in MLflow",
    "experiment_id": "the experiment of that run",
    "reused": "whether it had been fitted before, and was unchanged",
    "fit_seconds": "seconds of fitting, selection included",
    **{name: f"{what}; `{name}_low` and `{name}_high` end its 95 % interval" for name, what in METRICS.items()},
}
"""What the columns of a comparison's frame hold."""

_DIFFERENCES = {
    **dict.fromkeys(("fit", "against", "metric"), pl.String),
    **dict.fromkeys(("difference", "low", "high"), pl.Float64),
    "verdict": pl.String,
}


def _place(fit: Fit) -> tuple[bool, int]:
    """Where a fit stands in the table: rivals without a D to sweep first, then by D."""
    swept = METHODS[fit.method].swept
    return swept, fit.dimension if swept else 0


def _row(fit: Fit) -> dict[str, Any]:
    return {
        "dataset": fit.dataset,
        "method": fit.method,
        "dimension": fit.dimension,
        "fit": fit.name,
        "run_id": fit.run_id,
        "experiment_id": fit.experiment_id,
        "reused": fit.reused,
        "fit_seconds": fit.metrics["fit_seconds"],
    }


def _ordered(metrics: Mapping[str, float]) -> list[str]:
    return [name for name in HIGHER_IS_BETTER if name in metrics]


def _difference(name: str, ours: tuple[float, Array], theirs: tuple[float, Array], n_examples: int) -> dict[str, Any]:
    found = difference(name, ours, theirs, n_examples)
    return {"difference": found.value, "low": found.low, "high": found.high, "verdict": found.verdict}


def _chosen(fits: Sequence[Fit], validation: Sequence[pl.DataFrame], logs: bool) -> dict[str, int | None]:
    """The learned D that is best on validation, and the smallest that is not worse by more than one standard error.

    The standard error is that of the paired difference to the best one (the rule: Breiman et al., 1984, section 3.4.3).
    """
    learned = [i for i, fit in enumerate(fits) if fit.method == "embedding"]  # by D
    dimensions = [fits[i].dimension for i in learned]
    if not learned or not validation:
        return {"best": max(dimensions, default=None), "smallest": None}
    values = [goodness(measure(validation[i], logs)) for i in learned]
    drawn = [goodness(of_fit) for of_fit in resampled([validation[i] for i in learned], logs)]
    best = first_of_the_best(values, np.std(drawn, axis=1))
    near = (
        d
        for d, value, of_fit in zip(dimensions, values, drawn, strict=True)
        if values[best] - value <= np.std(drawn[best] - of_fit)
    )
    return {"best": dimensions[best], "smallest": min(near)}


def _worth(fits: Sequence[Fit], values: Sequence[Mapping[str, float]]) -> dict[int, int | None]:
    """For each learned D the smallest D of PCA whose most telling metric is not below it, but for rounding, or None."""
    of = {(fit.method, fit.dimension): goodness(found) for fit, found in zip(fits, values, strict=False)}
    learned, pca = ([d for method, d in sorted(of) if method == name] for name in ("embedding", "pca"))

    def reaches(other: int, d: int) -> bool:
        return of["pca", other] >= of["embedding", d] - ROUNDING * abs(of["embedding", d])

    return {d: next((other for other in pca if reaches(other, d)), None) for d in learned if pca}


def _told(found: Mapping[str, Any]) -> str:
    digits = 0 if abs(found["difference"]) >= 1000 else 4
    numbers = [f"{found[name]:+,.{digits}f}" for name in ("difference", "low", "high")]
    return f"{found['verdict']} {numbers[0]} [{numbers[1]}, {numbers[2]}]"


def _markdown(cells: Sequence[Sequence[str]]) -> str:
    head, *rows = cells
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"|{'|'.join(line)}|" for line in (head, rule, *rows))


def _aligned(cells: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of equal width: the first `left` columns flush left, the others flush right, a rule below the head."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
