"""The chain as other processors compute it, each in a process of its own: the same figures, far beyond what is shown.

Run as a script, this file reads contests and prints the figures that the environment's kernels come to. It imports no
other file of these tests, because a script's `tests` may be a package that something has installed.
"""

import json
import os
import platform
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.embedding import Problem
from pipeline.estimators import estimator, estimator_type
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import HELD_OUT
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import build_vocabulary

pytestmark = pytest.mark.slow(30)

KERNELS = {
    "x86_64": {
        "of 2004": {
            "OPENBLAS_CORETYPE": "Prescott",
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_CBWR": "COMPATIBLE",
            "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        "of 2013": {
            "OPENBLAS_CORETYPE": "Haswell",
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_CBWR": "AVX2",
            "OMP_NUM_THREADS": "2",
            "OPENBLAS_NUM_THREADS": "2",
        },
    },
    "aarch64": {"any": {"OPENBLAS_CORETYPE": "ARMV8", "ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"}},
}.get(platform.machine(), {})
"""Environments, by the processor that they stand for: what NumPy, SciPy, MKL and PyTorch then take for its kernels."""

CALLED = {"Prescott": "Katmai", "ARMV8": "armv8"}
"""What OpenBLAS itself calls some of them."""


def figures(conf: Dataset, records: pl.DataFrame) -> dict[str, float]:
    """Every metric of every method, and what validation chose."""
    vocabulary = build_vocabulary(pair_table(records.lazy(), conf), conf)
    examples = encode(records.lazy(), vocabulary, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    validation, test = (examples.held_out(part) for part in HELD_OUT)
    found = {}
    for name in ("embedding", *(baseline.kind for baseline in conf.baselines)):
        dimension = 2 if estimator_type(name).is_swept else None
        fitted = estimator(name, conf).fit(Problem(examples.training(), vocabulary, conf, dimension, validation))
        numbers = {**measure(conf.task, conf.task.evaluate(fitted, test)), **fitted.chosen}
        found |= {f"{name} {key}": value for key, value in numbers.items() if not isinstance(value, str)}
    return found


def kernels() -> list[str]:
    """What NumPy's BLAS and PyTorch really use."""
    import torch
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    blas = next(info["architecture"] for info in threadpool_info() if info["user_api"] == "blas")
    return [blas, torch.backends.cpu.get_cpu_capability()]


def with_all_baselines(conf: Dataset, **training: Any) -> Dataset:
    """With every baseline of the task; trees are few, and PCA has fewer dimensions than there are words."""
    few = {"boosted_trees": {"max_trees": 50}, "pca_boosted_trees": {"max_trees": 50, "dimension": 4}}
    baselines = tuple(
        kind(**few.get(name, {})) for name, kind in Baseline.kinds().items() if isinstance(conf.task, kind.of_task)
    )
    return conf.model_copy(update={"baselines": baselines, "training": conf.training.model_copy(update=training)})


@pytest.mark.skipif(not KERNELS, reason="no other kernels are known for this kind of processor")
def test_other_processors_come_to_the_same_figures(
    movies: Dataset, homes: Dataset, two_genres: pl.DataFrame, priced_words: pl.DataFrame
) -> None:
    contests = [
        (with_all_baselines(movies, dropout=0.1), two_genres),
        (with_all_baselines(homes, max_epochs=10), priced_words),
    ]
    sent = json.dumps([(conf.model_dump_json(), records.write_json()) for conf, records in contests])
    processes = {
        name: subprocess.Popen(
            [sys.executable, __file__], env={**os.environ, **wanted, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name, wanted in KERNELS.items()
    }  # fmt: skip
    own = [figures(conf, records) for conf, records in contests]
    for name, process in processes.items():
        (blas, torch), others = json.loads(process.communicate(sent)[0])
        assert blas == CALLED.get(KERNELS[name]["OPENBLAS_CORETYPE"], KERNELS[name]["OPENBLAS_CORETYPE"])
        assert torch == KERNELS[name]["ATEN_CPU_CAPABILITY"].upper()
        for theirs, ours in zip(others, own, strict=True):
            assert theirs == pytest.approx(ours, rel=1e-6, abs=1e-9), name


if __name__ == "__main__":
    wanted = [(Dataset.model_validate_json(conf), pl.read_json(StringIO(rows))) for conf, rows in json.load(sys.stdin)]
    print(json.dumps([kernels(), [figures(conf, records) for conf, records in wanted]]))
