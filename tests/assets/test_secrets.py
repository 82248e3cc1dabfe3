"""A planted password goes nowhere: not into a log, a page, a table, a run, a database, or a sentence."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.conftest import MOVIES, PATIENCE
from tests.forked import Process
from tests.web import Host

PASSWORD, KEY, NAMED = "planted-Pass-w0rd", "planted-T0ken", "planted-of-the-environment"


@pytest.fixture
def hosts(two_genres: pl.DataFrame) -> Iterator[tuple[Host, Host]]:
    """Two servers with passwords of their own."""
    made = Host(), Host()
    for host, password in zip(made, (PASSWORD, NAMED), strict=True):
        host.content, host.password = two_genres.write_csv().encode(), password
    yield made
    for host in made:
        host.close()


def test_a_planted_password_goes_nowhere(
    hosts: tuple[Host, Host], tmp_path: Path, fresh_database: Callable[[Path], str], started: Callable[..., Process]
) -> None:
    (tmp_path / "conf").mkdir()
    written, _ = hosts
    addresses = [host.address.removeprefix("http://") for host in hosts]
    environment = {"PIPELINE_HOME": str(tmp_path / "home"), "PIPELINE_CONF": str(tmp_path / "conf"), "NAMED": NAMED}

    def run(file: str) -> Process:
        """Learn from both servers: one's password is written in the conf file, the other's in the environment."""
        paths = {
            "written": f"http://me:{PASSWORD}@{addresses[0]}/films.csv?token={KEY}",
            "named": f"http://me:${{NAMED}}@{addresses[1]}/{file}.csv",
        }
        for name, path in paths.items():
            text = yaml.safe_dump({**MOVIES, "source": {"path": path}}, sort_keys=False)
            (tmp_path / "conf" / f"{name}.yaml").write_text(text)
        process = started("run", **environment)
        process.wait(PATIENCE)
        return process

    fresh_database(tmp_path / "home")
    learned = run("films")
    assert learned.poll() == 0, learned.err
    written.password = "another"
    refused = run("missing")
    assert refused.poll() == 1
    assert "the server says 401" in refused.err
    assert "the server says 404" in refused.err

    said = "".join(done.out + done.err for done in (learned, refused))
    kept = {path: path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert "report.html" in {path.name for path in kept}
    for secret in (PASSWORD, KEY, NAMED):
        assert secret not in said
        assert not [path for path, content in kept.items() if secret.encode() in content]
