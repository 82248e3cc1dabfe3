"""Executes a job in this process, as a run that Dagster's pages list under the job and on the timeline.

A page lists a run by its origin: the job, and the code location that has it. Dagster's own `execute_in_process` gives
none, so the run is made with that of `make dev`, and then executed as Dagster's launcher does.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.execution.job_execution_result import JobExecutionResult
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from pipeline.experiment.liveness import is_gone, this_process

CODE = "assets.definitions"
"""The module that `make dev` loads, which is also the name of its code location."""
_REPOSITORY = "__repository__"
"""What Dagster calls the definitions of a module."""
_PROCESS = ".dagster/embedding_pipeline_process"
"""The tag with a run's id and the process that executes it, which pages do not show; a repeated run has the first's."""


def execute(job: dg.JobDefinition, instance: dg.DagsterInstance, run_config: Mapping[str, Any]) -> JobExecutionResult:
    """Execute a job of `make dev`: its result, also if it failed."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=CODE), CODE)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, _REPOSITORY), job.name)
    run_id = str(uuid4())
    run = instance.create_run_for_job(
        job, run_id=run_id, run_config=run_config, tags=of_process(run_id), remote_job_origin=origin
    )
    return execute_run(InMemoryJob(job), run, instance)


def of_process(run_id: str) -> dict[str, str]:
    """The tag of a run that this process executes."""
    return {_PROCESS: f"{run_id} {this_process()}"}


def fail_lost_runs(instance: dg.DagsterInstance) -> None:
    """End, as failed, the runs that lost their process: beside ten that run, Dagster begins no other."""
    for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
        run_id, _, process = run.tags.get(_PROCESS, "").partition(" ")
        if run_id == run.run_id and is_gone(process):
            instance.report_run_failed(run, "Its process ended without closing the run.")
