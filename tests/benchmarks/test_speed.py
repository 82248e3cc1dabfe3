"""The contest of speed is a fair one: all find the same pairs, and the table says what was measured."""

from pathlib import Path

import pytest

from benchmarks.generate import generate, write
from benchmarks.speed import CONTESTANTS, measure, table


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(generate(300, 200, 6_000), tmp_path_factory.mktemp("generated"))[0]


@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_contestant_finds_the_same_pairs(name: str, csv: Path) -> None:
    found = measure(name, csv)
    made = generate(300, 200, 6_000)
    assert found["found"][-1] == len(made.user)
    if len(found["found"]) == 3:
        assert found["found"][0] == 300
    assert found["seconds"] > 0
    assert found["peak_mb"] > 10


def test_the_table_has_ratios_to_ours() -> None:
    medians = {name: {"seconds": 2.0 * i, "peak_mb": 300.0} for i, name in enumerate(CONTESTANTS, 1)}
    head, first, second, *_ = table(medians)
    assert head[2] == "ours / theirs"
    assert first[1:] == ["2.0", "1.00", "300", "1.00"]
    assert second[1:3] == ["4.0", "0.50"]
