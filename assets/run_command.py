"""From the command line: materialise datasets, and print the table of their results."""

import logging
import os
import shutil
import sys

import dagster as dg
import yaml
from dagster._core.instance import InstanceRef
from filelock import FileLock

from assets.automation import ALL
from assets.definitions import definitions
from assets.home import conf_folder, dagster_home, home, require_home
from assets.in_process import execute, fail_lost_runs
from assets.resources import mlflow_from_environment
from assets.storage import LOST, values
from pipeline.config.dataset import Dataset
from pipeline.config.files import conf_files, load
from pipeline.errors import PipelineError, in_one_line, nearest
from pipeline.experiment.comparison import Comparison
from pipeline.home import typed
from pipeline.views import tables

# The terminal is the log here: output that is captured into files cannot show a progress bar.
_UNCAPTURED = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
        "config": {},
    }
}


def chosen(name: str | None) -> list[Dataset]:
    """All datasets of the conf folder, or only the one with this name; then the other files are not even read.

    Raises:
        PipelineError: there is no such dataset, or a conf file is not valid.
    """
    files = {path.stem: path for path in conf_files(conf_folder())}
    if name is not None and name not in files:
        raise PipelineError(f"there is no dataset {name!r} in {conf_folder()}, {nearest(name, files)}")
    datasets = [load(path) for path in (files.values() if name is None else (files[name],))]
    for conf in datasets:
        if conf.source.asset:
            raise PipelineError(
                f"{conf.file}: `source.asset` is an asset of a Dagster project of your own, which this command does "
                "not know. Use the component there, or name files in `source.path`."
            )
    return datasets


def run(name: str | None = None) -> int:
    """Materialise one dataset or all, then print the results and where to look next.

    Returns:
        0; 1 if a step failed, after printing the reason; 130 if it was stopped.
    """
    datasets = chosen(name)
    require_home()
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    listen_to_what_matters()
    mlflow = mlflow_from_environment()
    mlflow.prepare()
    with instance() as dagster:
        fail_lost_runs(dagster)
        job = definitions(datasets).resolve_job_def(name or ALL)
        result = execute(job, dagster, {"loggers": {"lines": {}}})
    failures = [event for event in result.all_events if event.is_step_failure]
    completed = [conf.name for conf in datasets if values().has_completed(conf.name, result.run_id)]
    for one in completed:
        made = Comparison.load(values().current(dg.AssetKey([one, "comparison"])))
        print(f"\n{tables.text(made, shutil.get_terminal_size().columns)}")
    if any(_was_interrupted(event) for event in failures):
        print("\nstopped; what was finished is kept, and not repeated next time", file=sys.stderr)
        return 130
    for sentence in dict.fromkeys(_sentence(event) for event in failures):  # several steps can fail for one reason
        print(f"\nerror: {sentence}", file=sys.stderr)
    lost = [conf.name for conf in datasets if conf.name not in completed] if result.success else []
    for one in lost:
        print(f"\nerror: {one}: {LOST}", file=sys.stderr)
    if failures or lost or not result.success:
        return 1
    print(
        f"\nEverything is in {home()}: the embeddings are embedding.parquet in the artifacts of each MLflow run.\n"
        f"`{typed('dev')}` shows the assets in Dagster and the runs side by side in MLflow."
    )
    return 0


def listen_to_what_matters() -> None:
    """Keep needless lines out of the terminal: those about retries, and a library's trace of an interruption."""
    logging.getLogger().addFilter(_is_no_retry)
    if logging.lastResort is not None:  # it prints the lines of libraries that nobody has set up
        logging.lastResort.addFilter(_is_no_interruption)


def _is_no_interruption(record: logging.LogRecord) -> bool:
    """Whether a line is something else than a library's note that Ctrl-C has interrupted it, such as SQLAlchemy's."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, KeyboardInterrupt | dg.DagsterExecutionInterruptedError)


def _is_no_retry(record: logging.LogRecord) -> bool:
    """Whether a line is something else than Dagster's note, at every try, that its database does not answer."""
    return not record.getMessage().startswith("Retrying failed database")


def instance() -> dg.DagsterInstance:
    """Dagster's instance in the home.

    Raises:
        PipelineError: its settings cannot be used.
    """
    try:
        with FileLock(dagster_home() / ".lock"):  # two processes that open fresh databases at once break them
            made = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(dagster_home()), overrides=_UNCAPTURED))
            _ = made.run_storage, made.event_log_storage, made.schedule_storage  # each is opened when it is asked for
            return made
    except (dg.DagsterError, yaml.YAMLError, AttributeError, TypeError) as error:  # odd settings lead to these
        raise PipelineError(
            f"{dagster_home() / 'dagster.yaml'}: Dagster cannot use these settings ({in_one_line(error)}). Correct "
            "them, or remove the file: the next run writes a new one."
        ) from None


def _was_interrupted(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    while error is not None:
        if error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt"):
            return True
        error = error.cause
    return False


def _sentence(event: dg.DagsterEvent) -> str:
    """Why a step failed: our own message for users, or the full error if it is a defect of the pipeline."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    return f"{event.step_key} failed, which is a defect of the pipeline:\n{failure.error_display_string}"
