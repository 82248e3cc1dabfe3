"""Runs a function on the workers of a Ray Train: what one worker knows of the others, and its checkpoints.

A worker that is lost is replaced: all begin the function again, and go on from the last checkpoint that was reported.
"""

import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pipeline.cluster.connection import lacking
from pipeline.errors import PipelineError

FAILURES = 3
"""Times that lost workers are replaced in one training, at most."""
LOOKS = 0.2
"""Seconds between two looks of Ray at the workers, unless RAY_TRAIN_HEALTH_CHECK_INTERVAL_S says otherwise: all workers
wait at a checkpoint until it looks."""


class Calls:
    """A queue of calls from the workers to the process that started them."""

    def __init__(self) -> None:
        from ray.util.queue import Queue

        self._queue = Queue(actor_options={"num_cpus": 0})

    def put(self, call: Any) -> None:
        """Add a call."""
        self._queue.put(pickle.dumps(call))  # as bytes: the queue's own process imports nothing of it

    def get(self) -> Any:
        """The next call, as soon as there is one."""
        return pickle.loads(self._queue.get())


@dataclass(frozen=True)
class Worker:
    """One of several workers, as the function sees it that it runs."""

    rank: int
    size: int

    @classmethod
    def current(cls) -> "Worker":
        """The worker of this process."""
        from ray.train import get_context

        context = get_context()
        return cls(context.get_world_rank(), context.get_world_size())

    def own(self, parts: Any) -> Any:
        """What was put into the cluster for this worker: its item of a list, or what there is once for all."""
        import ray

        return ray.get(parts[self.rank] if isinstance(parts, list) else parts)

    @contextmanager
    def checkpoint(self) -> Iterator[Path | None]:
        """The folder of the last checkpoint that was reported, with the files of all workers; None at the beginning."""
        from ray.train import get_checkpoint

        found = get_checkpoint()
        with found.as_directory() if found else nullcontext() as folder:
            yield Path(folder) if folder else None

    def report(self, folder: Path) -> None:
        """Report a checkpoint: all workers call it, and the files in their folders become one checkpoint."""
        from ray.train import Checkpoint, report

        some = any(folder.iterdir())
        report({}, checkpoint=Checkpoint.from_directory(folder) if some else None)


def shared(value: Any) -> Any:
    """A value that is put into the cluster once, and that workers read from there: see `Worker.own`."""
    import ray

    return ray.put(value)


@contextmanager
def run_on_workers(
    function: Callable[[dict[str, Any]], None],
    settings: dict[str, Any],
    workers: int,
    resources: Mapping[str, float],
    storage: str,
    name: str,
    where: str,
    say: Callable[[str], Any],
) -> Iterator[Path | None]:
    """Run a function on workers until all have returned: the folder of the last checkpoint, if they reported one.

    Args:
        function: of a module, called with the settings in each worker.
        settings: the same for all workers.
        workers: how many.
        resources: what each reserves, by the names that Ray has for them.
        storage: a folder or URL that all machines can read and write.
        name: of the training: one that was interrupted goes on under the same name.
        where: the conf file and the key, for a message.
        say: gets a line if the cluster has no room yet.

    Raises:
        PipelineError: workers were lost too often, or a machine cannot use the storage.
    """
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig

    if missing := lacking(resources, workers):
        say(f"{where}: waits until the cluster has room for {workers} workers: {missing}")
    scaling = ScalingConfig(
        num_workers=workers,
        use_gpu="GPU" in resources,
        resources_per_worker=dict(resources),
        placement_strategy="SPREAD",
    )
    run = RunConfig(
        name=name,
        storage_path=storage,
        failure_config=FailureConfig(max_failures=FAILURES),
        checkpoint_config=CheckpointConfig(num_to_keep=1),
    )
    named = partial(_called, f"{function.__module__}:{function.__qualname__}")
    result = _interruptible((named, settings, scaling, run), where)
    with result.checkpoint.as_directory() if result.checkpoint else nullcontext() as folder:
        yield Path(folder) if folder else None


def _interruptible(training: tuple[Any, ...], where: str) -> Any:
    """What the training returns.

    It runs in a task: in this process it would take the signals, and an interruption would leave a thread that uses the
    connection to the cluster while that is closed.
    """
    import ray
    from ray.exceptions import RayTaskError
    from ray.train import TrainingFailedError

    task = ray.remote(num_cpus=0, max_retries=0)(_fit).remote(*training)
    try:
        while not ray.wait([task], timeout=0.2)[0]:
            pass
        return ray.get(task)
    except RayTaskError as error:
        if isinstance(error.cause, TrainingFailedError):
            raise PipelineError(f"{where}: {_cause(error.cause)}") from error
        raise
    except BaseException:  # an interruption: the workers end with the task
        ray.cancel(task, force=True)
        raise


def _called(name: str, settings: dict[str, Any]) -> None:
    """Call the function of that name: so its module is imported by the workers, and by none of Ray's own processes."""
    resolve_name(name)(settings)


def _fit(function: Callable[[dict[str, Any]], None], settings: dict[str, Any], scaling: Any, run: Any) -> Any:
    """Train on workers until all have returned, or were lost too often."""
    from ray.train.torch import TorchConfig, TorchTrainer

    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(LOOKS))
    torch_config = TorchConfig(backend="nccl" if scaling.use_gpu else "gloo")
    trainer = TorchTrainer(
        function, train_loop_config=settings, scaling_config=scaling, torch_config=torch_config, run_config=run
    )
    return trainer.fit()


def _cause(error: Exception) -> str:
    """Why a training failed, in a sentence."""
    failed = getattr(error, "worker_failures", None) or {}
    said = next((str(one).strip() for one in failed.values()), str(error).strip()).splitlines()
    last = said[-1].strip() if said else type(error).__name__
    return (
        f"the training on the cluster failed, and to replace its workers {FAILURES} times did not help: {last} All "
        "machines need this version of the pipeline, and PIPELINE_STORE or PIPELINE_HOME in the same place."
    )
