"""Whether workers of a cluster learn what one process learns: the bundled movies, several seeds, paired.

    python -m benchmarks.workers --seeds 1 2 3 4 5

Each seed is another split of the people and other draws in the training. What stands beside a training is the mean over
the seeds and the mean difference from one process of the same seed, with its 95% interval over the seeds: what one
seed says of two trainings is mostly chance.

RAY_ADDRESS names the cluster; without it a Ray of this machine is started for each training. One of the workers is
killed in the last training, as soon as there is a checkpoint.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy import special

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.embedding import Problem, Watch
from pipeline.evaluation.bootstrap import LEVEL
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
    "2 workers": {"workers": 2},
    "4 workers": {"workers": 4},
    "2 workers, rows divided": {"workers": 2, "largest_table": 1e-9},
    "4 workers, rows divided": {"workers": 4, "largest_table": 1e-9},
    "2 workers, one killed": {"workers": 2},
}


def score(
    conf: Dataset, vocabulary: Vocabulary, examples: SparseExamples, training: dict[str, Any], kills: bool
) -> float:
    """The primary metric of the test examples after a training with these settings."""
    settings = conf.training.model_copy(update={**SETTINGS, **training})
    asked = conf.model_copy(update={"training": settings}).resolved(examples.n_training, len(vocabulary))
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch("movies", on_epoch=_Killer(Path(folder)), checkpoints=Path(folder)) if kills else Watch("movies")
        problem = Problem(examples.training(), vocabulary, asked, D, examples.held_out("validation"), watch=watch)
        frame = asked.task.evaluate(LearnedEmbedding(asked).fit(problem), examples.held_out("test"))
    return measure(asked.task, frame)[asked.task.metrics[0].name]


class _Killer:
    """Kills a worker of this machine once there is a checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.killed = folder, False

    def __call__(self, losses: Any, epoch: int) -> None:
        if not self.killed and list(self.folder.glob("*/workers/checkpoint_*")):
            workers = [one.pid for one in psutil.process_iter(["name"]) if "TrainWorker" in str(one.info["name"])]
            os.kill(workers[0], signal.SIGKILL)
            self.killed = True


def _examples(folder: Path, seed: int) -> tuple[Dataset, Vocabulary, SparseExamples]:
    """The bundled movies, of whose people four of ten are tested: which, the seed says."""
    conf = load(Path(__file__).parents[1] / "conf" / "movies.yaml")
    conf = conf.model_copy(update={"split": Split(validation=0.1, test=0.4), "refit": False, "seed": seed})
    records = ingest(conf, folder, folder / "records")
    counted = count(records, conf)
    encode(records.frame, counted.vocabulary, conf, counted.table_of(records, conf)).save(folder)
    return conf, counted.vocabulary, SparseExamples.load(folder)


def compared(found: Sequence[float], first: Sequence[float]) -> str:
    """The mean over the seeds, their standard deviation, and how much more that is than the first training's."""
    values = np.asarray(found)
    line = f"{values.mean():.4f}" + (f" (sd {values.std(ddof=1):.4f})" if len(values) > 1 else "")
    more = values - np.asarray(first)
    if not more.any():
        return line
    if len(more) < 2:
        return f"{line}  {more.mean():+.4f}"
    reach = special.stdtrit(len(more) - 1, (1 + LEVEL) / 2) * more.std(ddof=1) / np.sqrt(len(more))
    low, high = more.mean() - reach, more.mean() + reach
    verdict = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    return f"{line}  {more.mean():+.4f} ({low:+.4f} to {high:+.4f}), {verdict}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each training: its primary metric, and the difference from one process."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.workers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS), help="default: all")
    options = parser.parse_args(arguments)
    first: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        sets = [_examples(Path(name) / str(seed), seed) for seed in options.seeds]
        print(f"{sets[0][0].task.metrics[0].name} of {len(sets)} seeds")
        for what in options.trainings:
            kills = what.endswith("killed")
            callbacks.CHECKPOINT_SECONDS = 1.0 if kills else 15.0
            found = [score(*one, TRAININGS[what], kills) for one in sets]
            first = first or found
            print(f"{what:<26} {compared(found, first)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
