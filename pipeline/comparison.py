"""All fits of a dataset side by side, measured on the same held-out examples: the table that people look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.evaluation import HIGHER_IS_BETTER
from pipeline.fitting import Fit, rule_of_thumb


@dataclass(frozen=True)
class Comparison:
    """One row a fit: dataset, method, dimension, run_id, experiment_id, reused, fit_seconds, then the metrics."""

    frame: pl.DataFrame
    part: str
    """What the metrics were measured on: test, validation where there are no test examples, or no examples at all."""
    vocabulary_size: int
    """V."""

    @classmethod
    def of(cls, fits: Sequence[Fit], vocabulary_size: int) -> "Comparison":
        """Collect the metrics of finished fits, by D and then in the order given."""
        parts = [
            p for p in ("test", "validation") if any(f"{p}_{name}" in fits[0].metrics for name in HIGHER_IS_BETTER)
        ]
        part = parts[0] if parts else "no"
        rows = [
            {
                "dataset": fit.dataset,
                "method": fit.method,
                "dimension": fit.dimension,
                "fit": fit.name,
                "run_id": fit.run_id,
                "experiment_id": fit.experiment_id,
                "reused": fit.reused,
                "fit_seconds": fit.metrics["fit_seconds"],
            }
            | {name: fit.metrics[f"{part}_{name}"] for name in HIGHER_IS_BETTER if f"{part}_{name}" in fit.metrics}
            for fit in sorted(fits, key=lambda fit: fit.dimension)
        ]
        return cls(pl.DataFrame(rows), part, vocabulary_size)

    @property
    def metrics(self) -> list[str]:
        """The metrics of the task, the most telling first."""
        return [name for name in HIGHER_IS_BETTER if name in self.frame.columns]

    def cells(self) -> list[list[str]]:
        """The table as people read it: a head, then a row a fit."""
        names = [*self.metrics, "fit_seconds"]
        columns = [[_written(name, value) for value in self.frame[name]] for name in names]
        head = [self.frame["dataset"][0], *self.metrics, "fit, s"]
        return [head, *map(list, zip(self.frame["fit"], *columns, strict=True))]

    def markdown(self) -> str:
        """The table for an asset's page."""
        head, *rows = self.cells()
        rule = ["---", *["--:"] * (len(head) - 1)]
        return "\n".join(f"|{'|'.join(line)}|" for line in (head, rule, *rows))

    def text(self) -> str:
        """The table for a terminal, with what it was measured on and the rule of thumb for D."""
        rows = self.cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        lines.insert(1, "-" * len(lines[0]))
        thumb = f"fourth root of V = {self.vocabulary_size:,}: D = {rule_of_thumb(self.vocabulary_size):.1f}"
        where = (
            f"measured on the {self.part} examples"
            if self.metrics
            else "no example is held out, so nothing was measured"
        )
        return "\n".join([*lines, f"{where}; {thumb}"])

    def save(self, folder: Path) -> None:
        """Write `comparison.parquet`."""
        about = {"part": self.part, "vocabulary_size": str(self.vocabulary_size)}
        self.frame.write_parquet(folder / "comparison.parquet", metadata=about)

    @classmethod
    def load(cls, folder: Path) -> "Comparison":
        """Read what `save` wrote."""
        path = folder / "comparison.parquet"
        about = pl.read_parquet_metadata(path)
        return cls(pl.read_parquet(path), about["part"], int(about["vocabulary_size"]))


def _written(name: str, value: float) -> str:
    if name == "fit_seconds":
        return f"{value:,.1f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"
