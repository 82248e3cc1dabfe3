"""Attempts are compared with the defaults on people who test nothing; days grow, and what is known keeps its place."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from benchmarks.ahead import DEFAULTS, Case, tried
from benchmarks.generate import generate, write
from benchmarks.refresh import TIMES, days
from benchmarks.refresh import Case as Growing
from pipeline.config.files import load


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ahead")
    csv = write(generate(300, 60, 6_000), folder)[0]
    said = {
        "description": "Made up.",
        "source": {"path": csv.name},
        "example": "user",
        "tokens": [{"kind": "value", "columns": "movie"}],
        "task": {"kind": "missing_tokens"},
        "dimensions": [2],
        "training": {"max_epochs": 2},
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def test_every_attempt_is_compared_with_the_defaults_and_learns_more_than_chance(conf: Path) -> None:
    head, first, *others = tried(Case("some", conf, 2, "user < 'u000200'"))
    assert head[0] == "some, D=2"
    assert (first[0], first[2], first[4]) == (DEFAULTS, "", "")
    assert all(len(row) == len(head) for row in others)
    assert len({row[0] for row in others}) == len(others) >= 12
    assert min(float(row[1]) for row in others) > 20 / 60


def test_each_day_has_more_rows_and_what_is_known_keeps_its_place(conf: Path) -> None:
    found = days(load(conf), Growing(conf, ("user", "movie"), 0.2, 1, "", ""))
    assert len(found) == TIMES + 1
    for before, now in pairwise(found):
        assert now.examples.about["pairs"] > before.examples.about["pairs"]
        n = len(before.vocabulary)
        assert now.vocabulary.tokens["token"][:n].equals(before.vocabulary.tokens["token"])
        parts = now.examples.frame.join(before.examples.frame, on="example")
        assert parts["split"].equals(parts["split_right"])
