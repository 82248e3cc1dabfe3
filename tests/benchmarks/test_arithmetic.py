"""docs/scale.md shows what the command prints for a size that no laptop can hold."""

import re
from pathlib import Path

import pytest

from benchmarks.arithmetic import main, rows

DOC = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()


def test_the_page_shows_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = re.findall(r"^\$ \.venv/bin/python -m benchmarks\.arithmetic (.*)$", DOC, re.MULTILINE)
    assert main(command.split()) == 0
    assert capsys.readouterr().out in DOC


def test_bytes_by_hand() -> None:
    """In billions, 10 pairs, 2 users and 5 movies: 9 bytes per pair and 8 per user; the table has 5 x 3 x 4 GB."""
    found = dict(rows(2e9, 5e9, 10e9, 3, 4))
    assert found["the CSR matrix, on disk"] == "106 GB"
    assert found["the table, D=3, in memory of each process"] == "60.0 GB"
    assert found["the same in 4 parts, one a machine"] == "30.0 GB"
