from typing import Any

import pytest
from dagster._core.execution.api import create_execution_plan

from assets import launchpad
from assets.definitions import definitions
from pipeline.baselines.pca import Pca
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError
from pipeline.tasks.missing_tokens import MissingTokensTraining


def test_every_setting_of_training_stands_there_with_its_value_and_meaning(movies: Dataset, homes: Dataset) -> None:
    for conf in (movies, homes):
        kind = launchpad.embedding_config(conf)
        training = kind().training  # type: ignore[attr-defined]
        offered = set(type(training).model_fields)
        assert offered == set(type(conf.training).model_fields) - {"kind"}
        assert all(field.description for field in type(training).model_fields.values())
        assert all(field.description for field in kind.model_fields.values())
        assert launchpad.with_config(conf, "embedding", kind()) == conf
        assert launchpad.with_config(conf, "pca", launchpad.pca_config(conf)()) == conf


def test_what_has_no_value_in_conf_is_shown_as_an_empty_list(movies: Dataset) -> None:
    training = movies.training.model_copy(update={"temperature": None})
    auto = movies.model_copy(update={"dimensions": None, "baselines": (Pca(),), "training": training})
    kind: Any = launchpad.embedding_config(auto)
    assert (kind().dimensions, kind().training.temperature) == ([], [])
    assert launchpad.with_config(auto, "embedding", kind()) == auto
    assert launchpad.with_config(auto, "pca", launchpad.pca_config(auto)()) == auto


def test_what_is_typed_there_counts_for_this_time(movies: Dataset) -> None:
    kind: Any = launchpad.embedding_config(movies)
    typed = kind(dimensions=[4], training={"temperature": [0.3], "max_epochs": 7})
    conf = launchpad.with_config(movies, "embedding", typed)
    assert conf.dimensions == (4,)
    assert isinstance(conf.training, MissingTokensTraining)
    assert (conf.training.temperature, conf.training.max_epochs) == ((0.3,), 7)
    assert conf.training.learning_rate == movies.training.learning_rate
    conf = launchpad.with_config(movies, "pca", launchpad.pca_config(movies)(dimensions=[3]))
    assert conf.baseline("pca").fitted_at() == (3,)


@pytest.mark.parametrize(
    ("asset", "typed", "said"),
    [
        (
            "embedding",
            {"training": {"dropout": 3.0}},
            r"embedding, training.dropout: 3.0 cannot be used\. .*less than 1",
        ),
        (
            "embedding",
            {"dimensions": [-2]},
            r"embedding, dimensions.0: -2 cannot be used\. .*greater than or equal to 1",
        ),
        ("pca", {"dimensions": [-2]}, r"pca, dimensions.0: -2 cannot be used\. .*greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_told_before_there_is_a_run(
    asset: str, typed: dict[str, Any], said: str, movies: Dataset
) -> None:
    """Also where another dataset has the same fields, which Dagster takes for one schema."""
    films = movies.model_copy(update={"name": "films"})
    for conf, defs in ((conf, definitions([movies, films])) for conf in (movies, films)):
        job, op = defs.resolve_job_def(conf.name), f"{conf.name}__{asset}"
        create_execution_plan(job, run_config={})  # as Dagster does when a run is submitted
        with pytest.raises(PipelineError, match=f"launchpad of {conf.name}/{said}"):
            create_execution_plan(job, run_config={"ops": {op: {"config": typed}}})


def test_what_a_number_may_be_stands_beside_it(movies: Dataset) -> None:
    training: Any = type(launchpad.embedding_config(movies)().training)  # type: ignore[attr-defined]
    assert training.model_fields["dropout"].description.endswith("at each step. (at least 0, less than 1)")


def test_fits_are_repeated_where_one_says_so(movies: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = launchpad.other_baselines_config(movies)
    assert not launchpad.is_forced(kind())
    assert launchpad.is_forced(kind(force=True))
    monkeypatch.setenv("FORCE", "1")
    assert launchpad.is_forced(kind())
