"""What docs/scale.md says of a size that no laptop has is what the command prints."""

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
    """Ten pairs of two users and five movies: 9 bytes a pair and 8 a user; the table has 5 x 3 x 4."""
    found = dict(rows(2e9, 5e9, 10e9, 3, 4))
    assert found["the CSR matrix, on disk"] == "106 GB"
    assert found["the table, D=3, in memory of each process"] == "60.0 GB"
    assert found["the same in 4 parts, one a machine"] == "30.0 GB"
