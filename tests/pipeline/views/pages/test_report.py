from pathlib import Path

import numpy as np

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.experiment.comparison import Comparison
from pipeline.experiment.fits import Fit
from pipeline.pictures.projection import plane
from pipeline.records.ingest import ingest
from pipeline.views.pages.report import Shown, report_page
from tests.conftest import encoded_from


def test_a_report_without_held_out_examples_measures_nothing(movies: Dataset, tmp_path: Path) -> None:
    vocabulary, examples = encoded_from(ingest(movies, tmp_path / "conf", tmp_path / "read").frame, movies)
    conf = movies.resolved(examples.n_training, len(vocabulary))
    fits = [Fit(conf.name, method, 2, method, "1", False, {"fit_seconds": 1.0}) for method in ("embedding", "pca")]
    comparison = Comparison.of(fits, len(vocabulary), conf.task, {})
    embedding = Embedding(vocabulary, np.random.default_rng(0).normal(size=(len(vocabulary), 2)).astype(np.float32))
    shown = Shown("embedding D=2", embedding, plane(embedding), "", {})
    html = report_page(conf, examples, comparison, None, shown, {}, "today").html
    assert "none was measured, because nothing was held out" in html
    assert "Measured on the" not in html
    assert "had not seen" not in html
