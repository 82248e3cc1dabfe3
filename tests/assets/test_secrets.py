"""A planted password goes nowhere: not into a log, a page, a table, a run, a database, or a sentence."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.conftest import MOVIES, PATIENCE
from tests.web import Host

PROJECT = Path(__file__).parents[2]
PASSWORD, KEY, NAMED = "planted-Pass-w0rd", "planted-T0ken", "planted-of-the-environment"


@pytest.fixture
def host(two_genres: pl.DataFrame) -> Iterator[Host]:
    host = Host()
    host.content = two_genres.write_csv().encode()
    yield host
    host.close()


def test_a_planted_password_goes_nowhere(host: Host, tmp_path: Path, fresh_database: Callable[[Path], str]) -> None:
    (tmp_path / "conf").mkdir()
    address = host.address.removeprefix("http://")

    def run(path: str, password: str) -> subprocess.CompletedProcess[str]:
        host.password = password
        settings = {**MOVIES, "dimensions": [2], "source": {"path": path}}
        (tmp_path / "conf" / "planted_movies.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        environment = {"PIPELINE_HOME": str(tmp_path / "home"), "PIPELINE_CONF": str(tmp_path / "conf"), "NAMED": NAMED}
        return subprocess.run(
            [sys.executable, "-m", "assets", "run"],
            cwd=PROJECT,
            env={**os.environ, **environment},
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )

    fresh_database(tmp_path / "home")
    written = run(f"http://me:{PASSWORD}@{address}/films.csv?token={KEY}", PASSWORD)
    assert written.returncode == 0, written.stderr
    refused = run(f"http://me:{PASSWORD}@{address}/films.csv?token={KEY}", "another")
    assert "the server says 401" in refused.stderr
    named = run(f"http://me:${{NAMED}}@{address}/films.csv", NAMED)
    assert named.returncode == 0, named.stderr
    wrong = run(f"http://me:${{NAMED}}@{address}/missing.csv", NAMED)
    assert wrong.returncode == 1

    said = "".join(done.stdout + done.stderr for done in (written, refused, named, wrong))
    kept = {path: path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert any("report.html" in path.name for path in kept)
    for secret in (PASSWORD, KEY, NAMED):
        assert secret not in said
        assert not [path for path, content in kept.items() if secret.encode() in content]
