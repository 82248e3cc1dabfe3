"""Decides where the steps of a run are executed: in the run's own process, or each as a job on a cluster of Ray.

`dagster.yaml` decides: on Ray, if its run launcher is that of dagster-ray, whose settings each step gets too.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.executor.base import Executor
from dagster._core.executor.in_process import InProcessExecutor

from assets.in_process import of_process


class _Noting(InProcessExecutor):
    """Executes the steps in this process, whose name the run gets first: it tells whether the run can still end."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        plan_context.instance.add_run_tags(plan_context.run_id, of_process(plan_context.run_id))
        yield from super().execute(plan_context, execution_plan)


# each step of the multiprocess default would import torch, Lightning and MLflow anew
@dg.executor(name="in_process_or_ray", config_schema=IN_PROC_CONFIG)
def executor(context: dg.InitExecutorContext) -> Executor:
    """In this process, unless the run was launched on a cluster."""
    launcher: Any = context.instance.run_launcher
    is_on_ray = type(launcher).__module__.startswith("dagster_ray.")
    if not is_on_ray or not isinstance(context.job, ReconstructableJob):  # `embedding-pipeline run` stays here
        made = _made(dg.in_process_executor, context)
        assert isinstance(made, InProcessExecutor)
        return _Noting(made.retries, made.step_dependency_config, made.marker_to_close)
    from dagster_ray import ray_executor

    names = ("env_vars", "runtime_env", "num_cpus", "num_gpus", "memory", "resources")
    settings = {name: getattr(launcher, name) for name in names if getattr(launcher, name)}
    config = {"ray": settings, "retries": context.executor_config["retries"]}
    return _made(ray_executor, context._replace(executor_config=config))


def _made(definition: dg.ExecutorDefinition, context: dg.InitExecutorContext) -> Executor:
    create = definition.executor_creation_fn
    assert create is not None
    return create(context)
