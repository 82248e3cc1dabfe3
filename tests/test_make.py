"""The Makefile, in a copy of the project: what is typed there arrives as it was typed, and happens in that folder."""

import os
import shutil
import sqlite3
import subprocess
import sysconfig
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import PATIENCE

PROJECT = Path(__file__).parents[1]
LOANS = [(f"r{reader}", f"b{(reader + place) % 9}") for reader in range(30) for place in range(3)]

pytestmark = pytest.mark.slow(30)


def make(folder: Path, *arguments: str, **environment: str) -> str:
    """Type `make` in a folder."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "MAKE"))}
    libraries = str(folder.parent / "libraries")
    done = subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**others, "PYTHONPATH": libraries, **environment},
        text=True,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def proposed(folder: Path, name: str) -> str:
    """The conf file that `make new` has written."""
    return (folder / "conf" / f"{name}.yaml").read_text()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with loans in it, and without libraries: those of the tests lie beside it."""
    root = tmp_path_factory.mktemp("make")
    folder, libraries = root / "project", root / "libraries"
    libraries.mkdir()
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "embedding_pipeline" not in path.name:
            (libraries / path.name).symlink_to(path)
    for name in ("assets", "pipeline"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml", "workspace.yaml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, folder / name)
    (folder / "requirements.lock").touch()
    (folder / "it's $a loan.csv").write_text("\n".join(["reader,book", *(",".join(loan) for loan in LOANS)]))
    with closing(sqlite3.connect(folder / "loans.db")) as database:
        database.execute("create table loans (reader text, book text)")
        database.executemany("insert into loans values (?, ?)", LOANS)
        database.commit()
    return folder


def test_quotes_and_dollars_in_what_is_typed_are_part_of_it(project: Path) -> None:
    make(project, "new", "NAME=books", "FROM=it's $a loan.csv")
    assert "it's $a loan.csv" in proposed(project, "books")
    query = "select reader, book from loans where book <> 'b1'"
    make(project, "new", "NAME=shop", "FROM=loans.db", f"QUERY={query}")
    assert query in proposed(project, "shop")


def test_the_name_of_a_password_stays_a_name(project: Path) -> None:
    shutil.copy(project / "loans.db", project / "hidden.db")
    make(project, "new", "NAME=secret", "FROM=${WHERE}.db", "QUERY=select * from loans", WHERE="hidden")
    assert "${WHERE}.db" in proposed(project, "secret")
    assert "hidden" not in proposed(project, "secret")


def test_a_copy_works_for_itself_and_a_project_can_be_moved(project: Path) -> None:
    make(project, "new", "NAME=first", "FROM=loans.db", "QUERY=select * from loans")
    copied = project.with_name("a copy")
    shutil.copytree(project, copied, symlinks=True)
    make(copied, "new", "NAME=second", "FROM=loans.db", "QUERY=select * from loans")
    assert proposed(copied, "second")
    assert not (project / "conf" / "second.yaml").exists()
    moved = copied.rename(project.with_name("moved"))
    assert "setting up" not in make(moved, "new", "NAME=third", "FROM=loans.db", "QUERY=select * from loans")
    assert proposed(moved, "third")
