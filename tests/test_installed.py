"""The wheel, installed into an environment of its own, in an empty folder: the way of a user without a clone."""

import csv
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import PATIENCE

PROJECT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow(60)


def test_the_wheel_proposes_a_conf_file_and_learns_from_it(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    names = ("assets", "pipeline", "pyproject.toml", "README.md", "LICENSE")
    for name in names:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, sources / name)
    folder, bare = tmp_path / "books", tmp_path / "bare"
    folder.mkdir()

    def call(*command: str) -> str:
        outside = {
            name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "PYTHONPATH"))
        }
        done = subprocess.run(
            command, cwd=folder, env=outside, text=True, capture_output=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    call(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(sources))
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(bare, with_pip=False)
    call(*pip, "--python", str(bare / "bin" / "python"), "install", "--no-deps", str(wheel))
    # what the wheel depends on is here already; a line that only names a folder brings no editable install with it
    (site,) = bare.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])

    random.seed(1)
    with (folder / "loans.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["reader", "book"])
        for reader in range(120):
            shelf = range(30) if reader % 2 else range(30, 60)
            writer.writerows([f"r{reader}", f"b{book}"] for book in random.sample(shelf, 8))
    command = str(bare / "bin" / "embedding-pipeline")
    assert "embedding-pipeline run books" in call(command, "new", "books", "loans.csv")
    with (folder / "conf" / "books.yaml").open("a") as file:
        file.write("\nseeds: 1\nreplicas: 0\ntraining: {max_epochs: 20}\n")  # what a person might add, and quicker
    out = call(command, "run", "books")
    assert "\nbooks  " in out
    assert "embedding D=8" in out
    assert str(folder / "var") in out
    assert sorted(path.name for path in folder.iterdir()) == ["conf", "loans.csv", "var", "workspace.yaml"]
    python = str(bare / "bin" / "python")
    (folder / "pipeline.py").write_text("raise SystemExit('a pipeline of the user')")
    (folder / "assets").mkdir()
    (folder / "assets" / "__init__.py").touch()
    validate = (python, "-m", "dagster", "definitions", "validate", "--load-with-grpc")  # as `dagster dev` loads them
    call(*validate, "-w", str(folder / "workspace.yaml"))
