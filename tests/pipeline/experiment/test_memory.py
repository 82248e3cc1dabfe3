"""How much memory a fit needs is told before it begins, where there is less."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.size import Size
from pipeline.config.training import Training
from pipeline.errors import PipelineError
from pipeline.experiment import memory
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.tracking import Tracker
from tests.conftest import encoded_from, with_baselines

SMALL, LARGE = Size(1_000, 1_000, 50_000, 8), Size(10**6, 10**6, 10**8, 8)


@pytest.mark.parametrize("kind", Baseline.kinds())
def test_a_larger_contest_never_needs_less(kind: str) -> None:
    conf = Baseline.kinds()[kind]().resolved(1_000, 1_000, (8,))
    assert 0 <= conf.memory(SMALL, 8) <= conf.memory(LARGE, 8)
    assert conf.memory(SMALL, 8) < 10**9


@pytest.mark.parametrize("task", Training.modules)
def test_training_needs_a_multiple_of_its_table(task: str) -> None:
    for size in (SMALL, LARGE):
        needed = Training.named(task)().resolved(size.n, size.v).memory(size, 32)
        # the start of a number or a class is solved for in memory, as far as there is room
        solver = min(60 * size.vectors(32), 2 * 10**9) if task != "missing_tokens" else 0
        assert size.vectors(32) < needed < 12 * size.vectors(32) + 4 * size.csr + solver


def test_a_fit_that_needs_too_much_is_refused_before_it_begins(
    movies: Dataset, two_genres: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    conf = with_baselines(movies, Baseline.kinds()["ease"]())
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts", "films")
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000)
    with pytest.raises(PipelineError, match=r"planted_movies.yaml: ease would need about .* GB of memory, and 0.0 GB"):
        fit_all(["ease"], conf, vocabulary, examples, tracker)
    assert tracker.client.search_runs([tracker.experiment_id]) == []
    assert len(fit_all(["popularity"], movies, vocabulary, examples, tracker).fits) == 1


def test_what_is_free_is_the_container_s_limit_where_that_is_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = memory.free_memory()
    assert machine > 0
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    for name, text in (("max", "max"), ("current", "300"), ("stat", "anon 5\ninactive_file 100\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.free_memory() > 10**6
    (tmp_path / "memory.max").write_text("1000")
    assert memory.free_memory() == 1000 - 300 + 100
