import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.config.files import conf_files
from pipeline.config.json_schema import json_schema

PROJECT = Path(__file__).parents[3]
SCHEMA = json_schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def test_the_written_schema_is_that_of_the_settings() -> None:
    assert json.loads((PROJECT / "docs" / "conf.schema.json").read_text()) == SCHEMA, "run `make docs`"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "path", [*conf_files(PROJECT / "conf"), *conf_files(PROJECT / "benchmarks" / "conf")], ids=lambda path: path.stem
)
def test_every_conf_file_follows_the_schema(path: Path) -> None:
    CHECK.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        {"dimensions": "auto"},
        {"dimensions": 8},
        {"baselines": "als"},
        {"baselines": ["als", {"kind": "ease", "regularisation": 10}]},
        {"split": "part"},
        {"training": {"negatives": 8}},
        {"source": {"asset": "shop/loans"}},
    ],
)
def test_what_a_file_may_say_in_short_follows_the_schema(minimal: dict[str, Any], change: dict[str, Any]) -> None:
    CHECK.validate({**minimal, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"dimension_s": 2},
        {"dimensions": 0},
        {"dimensions": True},
        {"name": "films"},
        {"baselines": ["ridge"]},
        {"baselines": ["alls"]},
        {"training": {"table_weight_decay": 1.0}},
        {"task": {"kind": "missing"}},
        {"tokens": []},
        {"source": {"pth": "x.csv"}},
    ],
)
def test_what_is_refused_does_not_follow_the_schema(minimal: dict[str, Any], change: dict[str, Any]) -> None:
    assert not CHECK.is_valid({**minimal, **change})


def test_a_file_without_a_dimension_does_not_follow_the_schema(minimal: dict[str, Any]) -> None:
    del minimal["dimensions"]
    assert not CHECK.is_valid(minimal)
    for written in (2, "auto"):
        CHECK.validate({**minimal, "dimension": written})
