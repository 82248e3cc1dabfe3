"""Whether workers of a cluster learn what one process learns: the bundled movies, with paired intervals.

    python -m benchmarks.workers

RAY_ADDRESS names the cluster; without it a Ray of this machine is started for each training. One of the workers is
killed in the last training, as soon as there is a checkpoint.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.embedding import Problem, Watch
from pipeline.evaluation.bootstrap import difference, resampled
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network import callbacks
from pipeline.network.learned import LearnedEmbedding
from pipeline.records.ingest import ingest
from pipeline.vocabulary.counted import count
from pipeline.vocabulary.vocabulary import Vocabulary

D = 32
SETTINGS = {"negatives": 2048}
TRAININGS: dict[str, dict[str, Any]] = {
    "one process": {},
    "one process, seed 2": {},
    "one process, seed 3": {},
    "2 workers": {"workers": 2},
    "4 workers": {"workers": 4},
    "2 workers, rows divided": {"workers": 2, "largest_table": 1e-9},
    "4 workers, rows divided": {"workers": 4, "largest_table": 1e-9},
    "2 workers, one killed": {"workers": 2},
}


def scores(
    conf: Dataset, vocabulary: Vocabulary, examples: SparseExamples, training: dict[str, Any], seed: int, kills: bool
) -> pl.DataFrame:
    """The scores of the test examples after a training with these settings."""
    settings = conf.training.model_copy(update={**SETTINGS, **training})
    asked = conf.model_copy(update={"training": settings, "seed": seed}).resolved(examples.n_training, len(vocabulary))
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch("movies", on_epoch=_Killer(Path(folder)), checkpoints=Path(folder)) if kills else Watch("movies")
        problem = Problem(examples.training(), vocabulary, asked, D, examples.held_out("validation"), watch=watch)
        return asked.task.evaluate(LearnedEmbedding(asked).fit(problem), examples.held_out("test"))


class _Killer:
    """Kills a worker of this machine once there is a checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.killed = folder, False

    def __call__(self, losses: Any, epoch: int) -> None:
        if not self.killed and list(self.folder.glob("*/workers/checkpoint_*")):
            workers = [one.pid for one in psutil.process_iter(["name"]) if "TrainWorker" in str(one.info["name"])]
            os.kill(workers[0], signal.SIGKILL)
            self.killed = True


def _examples(folder: Path) -> tuple[Dataset, Vocabulary, SparseExamples]:
    """The bundled movies, of whose people four of ten are tested."""
    conf = load(Path(__file__).parents[1] / "conf" / "movies.yaml")
    conf = conf.model_copy(update={"split": Split(validation=0.1, test=0.4), "refit": False})
    records = ingest(conf, folder, folder / "records")
    counted = count(records, conf)
    encode(records.frame, counted.vocabulary, conf, counted.table_of(records, conf)).save(folder)
    return conf, counted.vocabulary, SparseExamples.load(folder)


def _compared(conf: Dataset, frame: pl.DataFrame, first: pl.DataFrame | None) -> str:
    """The primary metric, and what it is more than that of the first training."""
    metric = conf.task.metrics[0]
    frames = [frame] if first is None else [frame, first]
    drawn = [one[metric.name] for one in resampled(conf.task, frames)]
    values = [measure(conf.task, one)[metric.name] for one in frames]
    line = f"{metric.name} {values[0]:.4f}"
    if first is None:
        return line
    found = difference(metric, (values[0], drawn[0]), (values[1], drawn[1]), frame.height)
    return f"{line}  {found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f}), {found.verdict}"


def main() -> int:
    """Print a line for each training: its primary metric, and the difference from one process."""
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # so often Ray looks for checkpoints
    first: pl.DataFrame | None = None
    with tempfile.TemporaryDirectory() as name:
        conf, vocabulary, examples = _examples(Path(name))
        for what, training in TRAININGS.items():
            kills = what.endswith("killed")
            callbacks.CHECKPOINT_SECONDS = 1.0 if kills else 15.0
            seed = int(what[-1]) if "seed" in what else conf.seed
            frame = scores(conf, vocabulary, examples, training, seed, kills)
            print(f"{what:<26} {_compared(conf, frame, first)}", flush=True)
            first = frame if first is None else first
    return 0


if __name__ == "__main__":
    sys.exit(main())
