"""Executes a job in this process, as a run that Dagster's pages list under the job and on the timeline.

A page lists a run by its origin: the job, and the code location that has it. Dagster's own `execute_in_process` gives
none, so the run is made with that of `make dev`, and then executed as Dagster's launcher does.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.execution.job_execution_result import JobExecutionResult
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

CODE = "assets.definitions"
"""The module that `make dev` loads, which is also the name of its code location."""
_REPOSITORY = "__repository__"
"""What Dagster calls the definitions of a module."""


def execute(job: dg.JobDefinition, instance: dg.DagsterInstance, run_config: Mapping[str, Any]) -> JobExecutionResult:
    """Execute a job of `make dev`: its result, also if it failed."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=CODE), CODE)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, _REPOSITORY), job.name)
    run = instance.create_run_for_job(job, run_config=run_config, remote_job_origin=origin)
    return execute_run(InMemoryJob(job), run, instance)
