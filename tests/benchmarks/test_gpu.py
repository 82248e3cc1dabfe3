"""What a GPU adds is told as measured; fits that are there already are compared and not repeated."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import gpu, machine
from tests.conftest import MOVIES


def test_kept_fits_are_compared_over_the_same_people(
    write_conf: Callable[..., Path], two_genres: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "CONF", write_conf("planted", {**MOVIES, "split": {"test": 0.2}}, two_genres))
    monkeypatch.setattr(gpu, "D", 2)
    found = gpu.gowalla("cpu", tmp_path)
    for kind in ("json", "parquet"):
        shutil.copy(tmp_path / f"cpu.{kind}", tmp_path / f"gpu.{kind}")
    monkeypatch.setattr(gpu, "elsewhere", _refused)
    _, ours, theirs, against = gpu.quality(tmp_path)["tables"][0]
    assert ours == theirs
    assert ours[:2] == [found["machine"], f"{found['seconds']:.1f}"]
    assert against[2] == "no difference shown +0.0000 [+0.0000, +0.0000]"


def _refused(*_: Any) -> None:
    raise AssertionError("the fit is there already")


@pytest.mark.skipif(bool(machine.gpu()), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 1
    assert capsys.readouterr().err == "error: PyTorch finds no GPU here\n"
