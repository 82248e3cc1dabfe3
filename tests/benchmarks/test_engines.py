"""The command that shows both engines side by side."""

import pytest

from benchmarks.engines import main


def test_it_shows_what_an_engine_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pairs", "4000", "--engines", "local"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "engine"
    engine, vocabulary, examples, entries, *_ = line.split()
    assert (engine, len(vocabulary), len(examples)) == ("local", 16, 16)
    assert 1000 < int(entries.replace(",", "")) <= 4000
