from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from pipeline.conf_files import conf_files, load

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", conf_files(PROJECT / "conf"), ids=lambda path: path.stem)
def test_every_conf_file_of_the_project_loads_and_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    assert load(path).name == path.stem
    assert path.read_text().startswith("# ")


def test_a_minimal_file_gets_the_defaults_of_its_task(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("small", minimal))
    assert conf.rivals == ("popularity",)
    assert conf.training.kind == "missing_tokens"
    assert conf.tokens[0].columns == ("movie",)


def test_a_split_can_be_named_by_its_column_alone(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    assert load(write_conf("small", {**minimal, "split": "part"})).split.column == "part"


def test_conf_objects_are_frozen(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("small", minimal))
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        conf.seed = 3  # type: ignore[misc]


def test_settings_without_a_value_are_decided_by_the_size_of_the_data(
    minimal: dict[str, Any], write_conf: Callable[..., Path]
) -> None:
    """The rules that the fields state: N / 8 examples a step between 64 and 512, epsilon 3 / V."""
    conf = load(write_conf("small", minimal))
    assert conf.resolved(2_000, 300).training.batch_size == 250
    assert conf.resolved(100, 300).training.batch_size == 64
    assert conf.resolved(2_000, 300).training.epsilon == 3 / 300  # type: ignore[union-attr]
    task = {"kind": "regression", "target": "price"}
    training = load(write_conf("number", {**minimal, "task": task})).resolved(420, 8).training
    assert (training.batch_size, training.max_epochs, training.token_dropout) == (32, 161, 0.1)  # type: ignore[union-attr]


def test_a_setting_in_the_file_is_kept(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> None:
    conf = load(write_conf("small", {**minimal, "training": {"batch_size": 7, "epsilon": 0.5}})).resolved(2_000, 300)
    assert (conf.training.batch_size, conf.training.epsilon) == (7, 0.5)  # type: ignore[union-attr]
