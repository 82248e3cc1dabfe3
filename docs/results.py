"""What a run has made of a dataset, as the course reads it: files of the home, and of MLflow's runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import pipeline
from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Fitted
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.client import client_of
from pipeline.experiment.comparison import Comparison
from pipeline.home import folder_of, tracking_uri
from pipeline.inference.model import Model
from pipeline.inference.saved_fit import conf_of, load_fitted
from pipeline.views.tables import cells, verdict_cells
from pipeline.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Result:
    """What a run has made of a dataset."""

    name: str

    @property
    def folder(self) -> Path:
        """The folder with the current value of each asset."""
        return folder_of("PIPELINE_HOME", "var") / "data" / self.name

    @cached_property
    def comparison(self) -> Comparison:
        """All fits side by side."""
        return Comparison.load(self.folder / "comparison")

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The dictionary."""
        return Vocabulary.load(self.folder / "vocabulary")

    @cached_property
    def examples(self) -> SparseExamples:
        """The lists."""
        return SparseExamples.load(self.folder / "sparse_examples")

    @cached_property
    def model(self) -> Model:
        """The champion."""
        return pipeline.load(self.name)

    @cached_property
    def records(self) -> pl.DataFrame:
        """The raw records."""
        return pl.read_parquet(self.folder / "raw_records" / "records-*.parquet")

    def file(self, fit: str, name: str) -> Path:
        """A file of a fit's MLflow run, or of the comparison if no fit is named; all files without a name."""
        if not fit:
            return self.folder / "comparison" / name
        run = {one.name: one.run_id for one in self.comparison.fits}[fit]
        return Path(client_of(tracking_uri()).download_artifacts(run, name))

    def conf(self, fit: str) -> Dataset:
        """The settings of a fit, with all defaults filled in."""
        return conf_of(self.file(fit, ""))

    def fitted(self, fit: str) -> Fitted:
        """A fit, ready to score."""
        return load_fitted(self.file(fit, ""))

    def embedding(self, fit: str) -> Embedding:
        """The vectors of a fit."""
        return Embedding.load(self.file(fit, "embedding.parquet"))

    def list_of(self, example: int) -> Array:
        """The integers of an example's tokens."""
        return np.asarray(self.examples.indices[slice(*self.examples.indptr[example : example + 2])])

    def table(self, *methods: str, metrics: int = 1) -> str:
        """The rows of the comparison's table that belong to these methods, in Markdown; all without a method."""
        head, *rows = cells(self.comparison, metrics)
        return markdown([row[:-1] for row in (head, *_of(methods, rows, self.comparison))])

    def verdicts(self, *against: str) -> str:
        """The verdicts by the first metric against these methods, in Markdown."""
        head, *rows = verdict_cells(self.comparison, 1)
        return markdown([head, *(row for row in rows if row[1].partition(" D=")[0] in against)], left=2)


def _of(methods: Sequence[str], rows: list[list[str]], comparison: Comparison) -> list[list[str]]:
    found = zip(rows, comparison.frame["method"], strict=True)
    return [row for row, method in found if not methods or method in methods]


def markdown(rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """A table, whose first row is the header: the first `left` columns are words, the others are figures."""
    head, *body = ([str(cell) for cell in row] for row in rows)
    rule = ["---" if i < left else "--:" for i in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))


def conf_of_the_readme() -> str:
    """The complete conf file that the README shows."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    return text.partition("```yaml\n")[2].partition("```")[0].strip()
