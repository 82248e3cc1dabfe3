import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.dataset import Dataset
from pipeline.estimators import modules
from pipeline.experiment.code_version import dependencies, library_versions

PROJECT = Path(__file__).parents[3]
TRAINING, JUDGE, FIGURES = "network.missing_tokens_module", "experiment.cross_fitting", "pictures.figures"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, which the tests change."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(PROJECT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def versions(folder: Path, *modules: str) -> list[str]:
    code = "import sys; from pipeline.experiment.code_version import code_version\n"
    code += "print(*(code_version(f'pipeline.{name}') for name in sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_version_changes_with_the_code_behind_it_and_with_nothing_else(copy: Path) -> None:
    """The code that decides a fit is in its key, the code of a picture in another; comments and imports are in none."""
    before = versions(copy, TRAINING, JUDGE, FIGURES)

    def changed(module: str, pattern: str, by: str) -> list[bool]:
        path = copy / "pipeline" / module
        text = path.read_text()
        path.write_text(re.sub(pattern, by, text, count=1))
        assert path.read_text() != text
        now = versions(copy, TRAINING, JUDGE, FIGURES)
        path.write_text(text)
        return [ours != theirs for ours, theirs in zip(now, before, strict=True)]

    assert changed("network/losses.py", "FARTHEST = 80.0", "FARTHEST = 81.0") == [True, False, False]
    assert changed("evaluation/ranking.py", "FIRST = 100", "FIRST = 99") == [True, False, False]
    assert changed("experiment/cross_fitting.py", "median_low", "median_high") == [False, True, False]
    assert changed("pictures/names.py", "LABELLED = 40", "LABELLED = 41") == [False, False, True]
    assert changed("network/losses.py", '^"""Softmax', '"""The softmax') == [False] * 3
    assert changed("network/losses.py", "import torch\n", "import math\nimport torch\n") == [False] * 3
    assert changed("config/kinds.py", '"mean"', '"median"') == [False] * 3


@pytest.mark.parametrize("file", ["latent_space.html", "latent_space_js/map.js"])
def test_a_template_is_code_of_the_page_that_it_makes(file: str, copy: Path) -> None:
    page = "views.pages.latent_space"
    before = versions(copy, page, TRAINING)
    template = copy / "pipeline" / "views" / "pages" / file
    template.write_text(template.read_text() + "<!-- more -->")
    now = versions(copy, page, TRAINING)
    assert [ours != theirs for ours, theirs in zip(now, before, strict=True)] == [True, False]


def test_dependencies_are_those_of_the_imports_and_libraries_those_that_they_use() -> None:
    found = dependencies("pipeline.baselines.ease")
    assert {"pipeline.baselines.ease", "pipeline.evaluation.selection", "pipeline.embedding"} <= found
    assert all(importlib.util.find_spec(module) for module in found)
    assert not any(module.startswith(("pipeline.network", "pipeline.views")) for module in found)
    assert {"numpy", "scipy"} <= set(library_versions("pipeline.baselines.ease"))
    assert "pytorch-lightning" not in library_versions("pipeline.baselines.ease")
    assert "pytorch-lightning" in library_versions("pipeline.network.contest")


def test_a_fit_depends_on_the_code_of_its_method_and_of_the_kinds_that_conf_names(
    movies: Dataset, homes: Dataset
) -> None:
    """And on no other code: a changed loss repeats no baseline, and a changed baseline repeats no training."""

    def behind(name: str, conf: Dataset) -> set[str]:
        return {module.removeprefix("pipeline.") for module in dependencies(*modules(name, conf))}

    learned, numbers, pca = behind("embedding", movies), behind("embedding", homes), behind("pca", movies)
    assert {"tasks.missing_tokens", "evaluation.ranking", "network.losses", "network.trainer"} <= learned
    assert {"tasks.regression", "network.target_network", "network.trainer"} <= numbers
    assert not {"network.losses", "tasks.missing_tokens", "evaluation.ranking"} & numbers
    assert {"baselines.pca", "tasks.missing_tokens"} <= pca
    assert not any(module.startswith("network") for module in pca)
