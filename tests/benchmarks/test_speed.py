"""The contest of speed is a fair one: all find the same pairs, and the table says what was measured."""

from pathlib import Path

import pytest

from benchmarks.generate import generate, write
from benchmarks.learners import LEARNERS
from benchmarks.speed import ENCODERS, measure, ours, table


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(generate(300, 200, 6_000), tmp_path_factory.mktemp("generated"))[0]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_finds_the_same_pairs(name: str, csv: Path) -> None:
    found = measure("encode", name, csv)
    assert found["pairs"] == len(generate(300, 200, 6_000).user)
    assert found["seconds"] > 0
    assert found["peak_mb"] > 10


@pytest.fixture(scope="module")
def encoded(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoded")
    ours(csv, folder)
    return folder


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_finds_more_than_chance(name: str, encoded: Path) -> None:
    """20 of 200 tokens at random would find a tenth of what is held out."""
    found = measure("learn", name, encoded)
    assert found["recall_at_20"] > 0.15
    assert found["pairs_per_second"] > 0


def test_the_table_has_ratios_to_ours() -> None:
    medians = {name: {"seconds": 2.0 * i, "peak_mb": 300.0} for i, name in enumerate(ENCODERS, 1)}
    head, first, second, *_ = table("encode", medians)
    assert head[2] == "ours / theirs"
    assert first[1:] == ["2.0", "1.00", "300", "1.00"]
    assert second[1:3] == ["4.0", "0.50"]
    of_learners = {"recall_at_20": 0.1, "pairs_per_second": 2e6, "seconds": 1.0, "peak_mb": 1.0}
    assert table("learn", dict.fromkeys(LEARNERS, of_learners))[1][-2:] == ["0.1000", "2,000,000"]
