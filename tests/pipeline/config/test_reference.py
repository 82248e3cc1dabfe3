import re
from pathlib import Path

from pipeline.config.reference import reference


def test_the_written_reference_is_that_of_the_settings() -> None:
    written = Path(__file__).parents[3] / "docs" / "conf.md"
    assert written.read_text() == reference(), "run `make docs`"


def test_every_setting_has_a_meaning() -> None:
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert all(row[2].strip(" |") for row in rows)


def test_what_is_said_to_be_below_is_there() -> None:
    page = reference()
    named = set(re.findall(r"see `(\w+)` below", page))
    assert named > {"source", "split"}
    for name in named:
        assert f"\n## `{name}`" in page, name


def test_a_setting_of_every_training_stands_once() -> None:
    page = reference()
    assert page.count("| `matmul_precision` |") == page.count("| `workers` |") == 1
    assert page.count("| `learning_rate` |") > page.count("| `max_epochs` |") == 2  # course_network has its own default
