from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from pipeline.config.files import conf_files, load
from pipeline.errors import PipelineError

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", conf_files(PROJECT / "conf"), ids=lambda path: path.stem)
def test_every_conf_file_of_the_project_loads_and_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    assert load(path).name == path.stem
    assert path.read_text().startswith("# ")


def test_a_minimal_file_gets_the_defaults_of_its_task(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("small", minimal))
    assert [baseline.kind for baseline in conf.baselines] == ["pca", "popularity"]
    assert conf.training.kind == "missing_tokens"
    assert conf.tokens[0].columns == ("movie",)


def test_dimensions_can_be_one_or_several_or_left_to_the_data(
    minimal: dict[str, Any], write_conf: Callable[..., Path]
) -> None:
    written = {name: minimal[name] for name in minimal if name != "dimensions"}

    def resolved(**settings: Any) -> tuple[Any, Any]:
        conf = load(write_conf("small", {**written, **settings})).resolved(100, 50)
        return conf.dimensions, conf.baseline("pca").fitted_at()

    assert resolved(dimensions=[8, 3]) == ((3, 8), (3, 4, 8, 16, 32))
    assert resolved(dimension=8) == resolved(dimensions=8) == ((8,), (8, 16, 32))
    assert resolved(dimensions="auto") == resolved(dimension="auto") == ((1, 2, 3, 4, 8, 16, 32),) * 2
    assert resolved(dimension=8, baselines=[{"kind": "pca", "dimensions": [2]}]) == ((8,), (2,))


def test_baselines_are_names_or_settings(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("small", {**minimal, "baselines": ["ease", {"kind": "als", "alpha": 3}]}))
    assert [baseline.kind for baseline in conf.baselines] == ["ease", "als", "pca"]
    assert conf.baseline("als").alpha == (3.0,)  # type: ignore[attr-defined]


def test_a_split_can_be_named_by_its_column_alone(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    assert load(write_conf("small", {**minimal, "split": "part"})).split.column == "part"


def test_conf_objects_are_frozen(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("small", minimal))
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        conf.seed = 3  # type: ignore[misc]


def test_settings_without_a_value_are_decided_by_the_size_of_the_data(
    minimal: dict[str, Any], write_conf: Callable[..., Path]
) -> None:
    """The rules that the fields state, by N and V."""
    conf = load(write_conf("small", minimal))
    cases = [  # N, V -> batch size, epochs, temperature, negatives
        ((100, 300), (64, 150, (0.2, 1.0, 3.0), 0)),
        ((2_500, 300), (313, 38, (0.12, 0.3, 1.0, 3.0), 0)),  # no ninth step of four examples
        ((1_000_000, 2_000), (1024, 10, (0.101, 0.3, 1.0, 3.0), 0)),
        ((1_000_000, 200_000), (1024, 3, (0.12,), 4096)),
    ]
    for size, expected in cases:
        training: Any = conf.resolved(*size).training
        assert (training.batch_size, training.max_epochs, training.temperature, training.negatives) == expected
    task = {"kind": "regression", "target": "price"}
    number = load(write_conf("number", {**minimal, "task": task}))
    sizes = {  # N -> batch size, epochs, learning rate, weight decay, dropout, members
        420: (32, 60, 0.003, 0.2, 0.3, 1),
        3_600: (64, 40, 0.003 * 2**0.5, 0.4 / 3, 1 / 7, 4),
        1_000_000: (1024, 30, 0.003 * 32**0.5, 0.00048, 1 / 101, 4),
    }
    for n, numbers in sizes.items():
        training = number.resolved(n, 8).training
        found = training.batch_size, training.max_epochs, training.learning_rate, training.weight_decay
        assert (*found, training.dropout, training.members) == pytest.approx(numbers)


def test_a_setting_in_the_file_is_kept(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("small", {**minimal, "training": {"batch_size": 7, "temperature": 0.5}})).resolved(
        2_000, 300
    )
    assert (conf.training.batch_size, conf.training.temperature) == (7, (0.5,))  # type: ignore[union-attr]


def test_only_files_and_databases_have_periods_and_duplicates_are_looked_for_within_one(
    minimal: dict[str, Any], write_conf: Callable[..., Path]
) -> None:
    files = {"path": "sales.csv", "period": {"column": "day"}}
    conf = load(write_conf("small", {**minimal, "source": files}))
    assert conf.source.period is not None
    assert (conf.source.period.every, conf.source.period.latest) == ("month", 1)
    load(write_conf("small", {**minimal, "source": {**files, "drop_duplicates": True}}))
    several = load(write_conf("small", {**minimal, "source": {**files, "drop_duplicates": ["day", "user"]}}))
    assert several.model_dump(mode="json")["source"]["drop_duplicates"] == ["day", "user"]  # and nothing is warned of
    for source, sentence in (
        ({"sample": "ames", "period": {"column": "day"}}, r"small.yaml:\d+: source: `period` divides what `path` or"),
        ({**files, "drop_duplicates": ["user"]}, r"small.yaml:\d+: .*add the column day to `drop_duplicates`"),
        (
            {**files, "period": {"column": "day", "every": "moon"}},
            r"small.yaml:\d+: .*'day', 'week', 'month' or 'year'",
        ),
        ({**files, "period": {"colum": "day"}}, r"small.yaml:\d+: .*did you mean 'column'"),
    ):
        with pytest.raises(PipelineError, match=sentence):
            load(write_conf("small", {**minimal, "source": source}))


def test_a_group_is_neither_the_target_nor_a_list(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    priced = {"task": {"kind": "regression", "target": "price"}, "split": {"group": "price"}}
    with pytest.raises(PipelineError, match=r"`split.group` names the target"):
        load(write_conf("small", {**minimal, **priced}))
    lists = {"tokens": [{"kind": "items", "columns": "tags"}], "split": {"group": "tags"}}
    with pytest.raises(PipelineError, match=r"`split.group` names a column of lists"):
        load(write_conf("small", {**minimal, **lists}))
