"""What a GPU adds: pairs a second at the course's size, and Gowalla at D=256 to the quality of the processor.

    python -m benchmarks.gpu                         both, on a machine that has a GPU
    python -m benchmarks.gpu pairs                   only one of `pairs` and `gowalla`
    python -m benchmarks.gpu gowalla --kept FOLDER   fits of Gowalla that the folder has already are not repeated

Each fit has a process of its own and two cores. A fit of Gowalla leaves its scores in the folder, so that the one on
the processor, which takes long, can be of another machine.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import machine, page
from benchmarks.apart import apart
from benchmarks.encoders import OURS, encoded
from benchmarks.generate import SIZES, generate, write
from benchmarks.learners import LEARNERS, ON_GPU, learn
from benchmarks.refresh import compared
from pipeline.config.files import load
from pipeline.estimators import EMBEDDING, estimator
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.experiment.cross_fitting import CrossFit
from pipeline.experiment.piece_queue import PieceQueue
from pipeline.records.ingest import ingest
from pipeline.vocabulary.counted import count

HERE = Path(__file__).resolve().parent
CONF = HERE / "conf" / "gowalla.yaml"
D = 256
CORES = 2
FITS = (OURS, *ON_GPU)
PACKAGES = ("torch", "pytorch-lightning", "numpy")


def course(name: str, folder: Path) -> dict[str, float]:
    """Fit one contestant on the examples in a folder, in this process: its seconds, recall, pairs and memory."""
    seconds, found = learn(name, folder)
    return {"seconds": seconds, **found, "gpu_mb": _memory()}


def gowalla(accelerator: str, folder: Path) -> dict[str, Any]:
    """Fit Gowalla as its conf says, in this process: its seconds, memory and machine.

    They are left in the folder, too, and the scores of all people on the test part.
    """
    conf = load(CONF)
    training = conf.training.model_copy(update={"accelerator": accelerator, "matmul_precision": "high"})
    conf = conf.model_copy(update={"training": training})
    records = ingest(conf, CONF.parent, folder / f"records_{accelerator}")
    counted = count(records, conf)
    examples = encode(records.frame, counted.vocabulary, conf, counted.table_of(records, conf))
    conf = conf.resolved(examples.n_training, len(counted.vocabulary))
    with PieceQueue() as queue:
        fit = CrossFit(queue, estimator(EMBEDDING, conf), f"embedding D={D}", conf, counted.vocabulary, examples, D)
        done = fit.done(lambda *_: None, logging.getLogger("gpu"))
    done.scores["test"].write_parquet(folder / f"{accelerator}.parquet")
    where = machine.gpu() if accelerator == "gpu" else page.machine()
    found = {"seconds": done.seconds, "gpu_mb": _memory(), "machine": where}
    (folder / f"{accelerator}.json").write_text(json.dumps(found))
    return found


def _memory() -> float:
    """Megabytes that PyTorch had on the GPU at most."""
    import torch

    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0


def elsewhere(name: str, folder: Path) -> dict[str, Any]:
    """What one fit gives in a process of its own, with two cores.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.gpu", "--one", name, str(folder)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {found}", flush=True)
    return found


def pairs() -> dict[str, Any]:
    """The fits at the course's size side by side."""
    size = SIZES["course"]
    with tempfile.TemporaryDirectory() as folder:
        apart(_encoded, size, Path(folder))
        found = {name: elsewhere(name, Path(folder)) for name in FITS}
    columns = ["seconds", "pairs/s", "times two cores", "recall_at_20", "memory of the GPU, MB"]
    cells = [["CSR to embedding, D=32", *columns]]
    for name, one in found.items():
        times = one["pairs_per_second"] / found[OURS]["pairs_per_second"]
        cells.append([f"{name}: {(LEARNERS | ON_GPU)[name].__doc__}", f"{one['seconds']:.1f}"])
        cells[-1] += [f"{one['pairs_per_second']:,.0f}", f"{times:.2f}", f"{one['recall_at_20']:.4f}"]
        cells[-1] += [f"{one['gpu_mb']:,.0f}"]
    return {
        "title": "gpu, course: {:,} users, {:,} movies, {:,} pairs asked for".format(*size),
        "tables": [cells],
        "notes": [f"{machine.gpu()}, each fit with {CORES} cores; one run of each"],
    }


def _encoded(size: tuple[int, int, int], folder: Path) -> None:
    """Make the examples of generated pairs in a folder."""
    write(generate(*size, seed=1), folder, kind="parquet")
    encoded("source: {path: watched.parquet}", folder, folder)


def quality(kept: Path | None) -> dict[str, Any]:
    """Gowalla at D=256, on the GPU and on the processor."""
    conf = load(CONF)
    with tempfile.TemporaryDirectory() as passing:
        folder = kept or Path(passing)
        fits = {name: _kept(name, folder) or elsewhere(name, folder) for name in ("gpu", "cpu")}
        frames = {name: [pl.read_parquet(folder / f"{name}.parquet").sort("example")] for name in fits}
    found = compared(conf, frames, "gpu", "cpu")
    cells = [[f"Gowalla, D={D}", "seconds", *found, "memory of the GPU, MB"]]
    for name, fit in fits.items():
        means = measure(conf.task, frames[name][0])
        cells.append([fit["machine"], f"{fit['seconds']:.1f}", *(f"{means[metric]:.4f}" for metric in found)])
        cells[-1] += [f"{fit['gpu_mb']:,.0f}"]
    differences = [f"{one.verdict} {one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]" for one in found.values()]
    cells.append(["the GPU against the processor", "", *differences, ""])
    return {
        "title": f"gpu: Gowalla, D={D}",
        "tables": [cells],
        "notes": [
            f"each with {CORES} cores; products of the GPU in TF32; one run of each",
            "seconds: two trainings with their starts, the one that validation judges and the one on training and "
            "validation together",
        ],
    }


def _kept(name: str, folder: Path) -> dict[str, Any] | None:
    """What a fit gave that is in the folder already."""
    path = folder / f"{name}.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


RESULTS = {"pairs": "speed_gpu_course", "gowalla": "speed_gpu_gowalla"}
"""The name of each part's result."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, keep the results, and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="?", choices=RESULTS, help="only this one")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="a folder with fits of Gowalla")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
        name, folder = options.one[0], Path(options.one[1])
        print(json.dumps(gowalla(name, folder) if name in ("cpu", "gpu") else course(name, folder)))
        return 0
    if not machine.gpu() and not (options.kept and options.part == "gowalla"):
        print("error: PyTorch finds no GPU here", file=sys.stderr)
        return 1
    for part in [options.part] if options.part else RESULTS:
        page.keep(RESULTS[part], pairs() if part == "pairs" else quality(options.kept), PACKAGES)
    print(page.write())
    return 0


if __name__ == "__main__":
    sys.exit(main())
