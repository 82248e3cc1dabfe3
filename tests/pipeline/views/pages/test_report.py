from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.pictures.projection import plane
from pipeline.records.ingest import ingest
from pipeline.views.pages.report import Shown, report_page
from tests.conftest import encoded_from


@pytest.fixture
def report(movies: Dataset, tmp_path: Path) -> Callable[..., str]:
    """The report of two fits that were measured on so many test examples, as HTML."""
    vocabulary, examples = encoded_from(ingest(movies, tmp_path / "conf", tmp_path / "read").frame, movies)
    conf = movies.resolved(examples.n_training, len(vocabulary))
    embedding = Embedding(vocabulary, np.random.default_rng(0).normal(size=(len(vocabulary), 2)).astype(np.float32))
    shown = Shown("embedding D=2", embedding, plane(embedding), "", {})

    def make(n: int, *, smaller: bool = False) -> str:
        fitted = [("embedding", 1), ("embedding", 2)] if smaller else [("embedding", 2), ("pca", 2)]
        fits = [Fit(conf.name, *one, f"run of {one}", "1", False, {"fit_seconds": 1.0}) for one in fitted]
        ids, metrics = [f"u{i}" for i in range(n)], [metric.name for metric in conf.task.metrics]

        def scores(*ends: tuple[float, float]) -> list[pl.DataFrame]:
            return [pl.DataFrame({"example": ids, **dict.fromkeys(metrics, np.linspace(*of, n))}) for of in ends]

        parts = {"test": scores((0.5, 1.0), (0.1, 1.0))} if n else {}
        parts |= {"validation": scores((1.0, 0.48), (0.5, 1.0))} if smaller else {}
        comparison = Comparison.of(fits, len(vocabulary), conf.task, parts)
        return report_page(conf, examples, comparison, None, shown, {}, "today").html

    return make


def test_a_report_says_why_it_shows_a_larger_embedding_than_that_to_take(report: Callable[..., str]) -> None:
    assert "<p>Here is embedding D=2: each token" in report(40)
    html = report(40, smaller=True)
    assert "Take D=1: on validation it is as good as D=2" in html
    assert "<p>Here is embedding D=2, the best on validation: each token" in html


def test_a_report_without_held_out_examples_measures_nothing(report: Callable[..., str]) -> None:
    html = report(0)
    assert "none was measured, because nothing was held out" in html
    assert "Measured on the" not in html
    assert "had not seen" not in html


@pytest.mark.parametrize(("n", "has_intervals"), [(9, False), (40, True)])
def test_intervals_are_explained_where_there_are_some(n: int, has_intervals: bool, report: Callable[..., str]) -> None:
    html = report(n)
    assert "had not seen" in html
    for said in ("±", "95% interval", "[+", "The intervals are over"):
        assert (said in html) == has_intervals, said
