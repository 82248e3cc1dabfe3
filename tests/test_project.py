"""The project itself: what may import what, and whether the README tells the truth."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
MODULES = sorted(f"pipeline.{path.stem}" for path in (PROJECT / "pipeline").glob("*.py") if path.stem != "__init__")


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


def test_the_way_of_the_data_names_every_module() -> None:
    told = (PROJECT / "pipeline" / "__init__.py").read_text()
    for module in MODULES:
        assert re.search(rf"\b{module.removeprefix('pipeline.')}\b", told), module


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^\$ )make ([a-z]+)", README, re.MULTILINE))))
def test_the_readme_names_only_targets_that_there_are(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE)


def test_the_readme_links_to_files_that_there_are() -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (PROJECT / link).exists(), link


def test_the_readme_s_conf_file_is_a_complete_one_of_ten_lines(tmp_path: Path) -> None:
    from pipeline.conf_files import load

    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "books.yaml").write_text(text)
    assert load(tmp_path / "books.yaml").name == "books"
    assert len(text.splitlines()) <= 10
    assert yaml.safe_load(text)["source"] == {"path": "loans.csv"}


def test_ci_runs_the_readme_s_test_command() -> None:
    assert "make test" in (PROJECT / ".ci" / "run").read_text()
    assert "make test" in README
