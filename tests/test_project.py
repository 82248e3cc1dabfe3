"""The project itself: what may import what, and whether the README tells the truth."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
MODULES = sorted(
    ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    for path in (PROJECT / "pipeline").rglob("*.py")
    if path.stem != "__init__"
)
FOLDERS = sorted(path.parent for path in (PROJECT / "pipeline").glob("*/__init__.py"))


def fresh_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT).stdout


def test_no_module_of_the_core_imports_dagster() -> None:
    imports = "; ".join(f"import {module}" for module in MODULES)
    assert (
        fresh_process(f"{imports}; import sys; print('dagster' in sys.modules, 'assets' in sys.modules)")
        == "False False\n"
    )


def test_definitions_load_without_the_heavy_libraries() -> None:
    heavy = ("torch", "pytorch_lightning", "mlflow", "sklearn", "matplotlib")
    code = f"import assets.definitions as a; a.defs(); import sys; print([m for m in {heavy} if m in sys.modules])"
    assert fresh_process(code) == "[]\n"


def test_help_and_a_proposal_load_neither_dagster_nor_mlflow() -> None:
    load = "import assets.__main__, assets.proposing, sys"
    code = f"{load}; print([m for m in ('dagster', 'mlflow', 'torch') if m in sys.modules])"
    assert fresh_process(code) == "[]\n"


def test_the_way_of_the_data_names_every_folder_and_each_says_what_it_is_for() -> None:
    told = (PROJECT / "pipeline" / "__init__.py").read_text()
    for folder in FOLDERS:
        assert re.search(rf"^    {folder.name} ", told, re.MULTILINE), folder
        said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
        assert said is not None
        assert 3 <= len(said.splitlines()) <= 6, folder
        assert "enter" in said, folder
        assert "leave" in said, folder


@pytest.mark.parametrize("folder", ["assets", "pipeline"])
def test_no_file_is_long(folder: str) -> None:
    for path in (PROJECT / folder).rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 250, path


def test_an_arrow_that_is_turned_round_is_refused(tmp_path: Path) -> None:
    """In a copy of the project, a module imports a later step of the way of the data, or a library of another place."""
    for folder in ("pipeline", "assets"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    assert lint_imports(tmp_path).returncode == 0
    for module, line, contract in (
        ("vocabulary/vocabulary.py", "import pipeline.network.layers", "Imports go up the way of the data"),
        ("examples/features.py", "import dagster", "The core knows no Dagster"),
        ("evaluation/ranking.py", "import pytorch_lightning", "Lightning is for the network only"),
        ("views/tables.py", "import mlflow", "MLflow is for experiments only"),
        ("network/trainer.py", "import ray", "Ray is for the cluster only"),
    ):
        path = tmp_path / "pipeline" / module
        before = path.read_text()
        path.write_text(f"{before}\n{line}\n")
        done = lint_imports(tmp_path)
        assert done.returncode == 1, module
        assert re.findall(r"^(.*) BROKEN", done.stdout, re.MULTILINE) == [contract]
        path.write_text(before)
    (tmp_path / "pipeline" / "serving").mkdir()
    (tmp_path / "pipeline" / "serving" / "__init__.py").write_text('"""A step that nobody gave a place."""')
    assert "pipeline.serving" in lint_imports(tmp_path).stdout


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter of imports on a project."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^\$ )make ([a-z]+)", README, re.MULTILINE))))
def test_the_readme_names_only_targets_that_there_are(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE)


def test_the_readme_links_to_files_that_there_are() -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (PROJECT / link).exists(), link


def test_contributing_names_only_files_that_there_are() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:assets|pipeline|docs|tests)/[\w/.]+)`", text))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (PROJECT / path).exists()] == []


def test_the_readme_s_conf_file_is_a_complete_one_of_ten_lines(tmp_path: Path) -> None:
    from pipeline.config.files import load

    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "books.yaml").write_text(text)
    assert load(tmp_path / "books.yaml").name == "books"
    assert len(text.splitlines()) <= 10
    assert yaml.safe_load(text)["source"] == {"path": "loans.csv"}


def test_ci_runs_the_readme_s_test_command() -> None:
    assert "make test" in (PROJECT / ".ci" / "run").read_text()
    assert "make test" in README


def test_every_extra_that_people_are_told_to_install_is_one_and_is_installed_for_the_tests() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    files = [*PROJECT.glob("pipeline/**/*.py"), *PROJECT.glob("assets/**/*.py"), *PROJECT.glob("docs/*.md")]
    told = {name for file in files for name in re.findall(r"embedding-pipeline\[(\w+)\]", file.read_text())}
    assert told <= {*extras}
    made_by = (PROJECT / "Makefile").read_text()
    locked = {name for found in re.findall(r"install --quiet .*'\.\[([\w,]+)\]'", made_by) for name in found.split(",")}
    assert locked == {*extras}


def test_what_is_locked_runs_on_the_oldest_python_that_the_project_promises() -> None:
    oldest = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    locked = [line for file in PROJECT.glob("requirements*.lock") for line in file.read_text().splitlines()]
    asked = {line: _python_of(line.partition("==")[0]) for line in locked if "==" in line}
    assert len(asked) > 100
    assert [line for line, python in asked.items() if oldest not in SpecifierSet(python)] == []


def _python_of(package: str) -> str:
    """The versions of Python that a package asks for; any, if it says none or is not installed."""
    try:
        return metadata(package).get("Requires-Python", "")
    except PackageNotFoundError:  # the extra for more than one machine
        return ""
