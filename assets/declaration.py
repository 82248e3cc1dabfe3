"""What all assets of a dataset share: names, inputs, checks, and the versions of their code and of their values."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import dagster as dg

from assets import checks
from assets.storage import VALUES
from pipeline.config.dataset import Dataset
from pipeline.experiment.code_version import code_version

RECORDS = {
    "source": True,
    "example": True,
    "tokens": True,
    "weight": True,
    "task": True,
    "split": {"column": True, "time": True, "group": True},
}
TOKENS = {"example", "tokens", "split", "vocabulary", "task", "refit", "seed"}
FITS = {"dimensions", "baselines", "training", "task", "refit", "seed", "seeds", "precision"}
"""RECORDS, TOKENS and FITS: sections of conf; a change of a section that an asset names makes the asset stale."""


def asset(
    conf: Dataset,
    name: str,
    description: str,
    kinds: set[str],
    settings: Any,
    upstream: tuple[str, ...] = (),
    ins: Mapping[str, dg.AssetIn] | None = None,
    modules: Iterable[str] = (),
    priority: int = 0,
    config_schema: dg.Shape | None = None,
    on_cluster: bool = False,
    partitions: dg.PartitionsDefinition[str] | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """A decorator that makes a function an asset of a dataset.

    A change of the code that the function uses from `pipeline` makes the asset stale, because it decides its value.

    Args:
        conf: the dataset.
        name: of the asset.
        description: what people read about it.
        kinds: the labels that Dagster shows on it.
        settings: the sections of conf that decide its value, as pydantic's `include` names them.
        upstream: the names of the assets of the dataset that it reads.
        ins: assets of other groups that it reads, by the name of the parameter.
        modules: further modules whose code decides the value, by their full names.
        priority: of assets that could be made next, the one with the highest is.
        config_schema: what can be set for one materialisation.
        on_cluster: whether the work is done by others on a cluster, so that the step itself needs no CPU there. If it
            kept one, steps that run side by side could take all, and wait for each other's tasks.
        partitions: the parts that can be made by themselves; several that are asked for are made in one run.
    """
    decides = json.dumps(conf.model_dump(mode="json", include=settings), sort_keys=True)

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        assert isinstance(function, FunctionType)
        # from the return type of a result with checks, Dagster would conclude that no value is kept
        function.__annotations__.pop("return", None)
        code = code_version(*sorted({*modules, *_kinds(conf), *_used(function.__code__, function.__globals__)}))
        return _asset(
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
            name=name,
            key_prefix=conf.name,
            group_name=conf.name,
            description=description,
            kinds=kinds,
            ins={before: dg.AssetIn(key_prefix=conf.name) for before in upstream} | dict(ins or {}),
            io_manager_key=VALUES,
            config_schema=config_schema,
            check_specs=checks.specs(conf, name),
            op_tags={
                "dagster/priority": str(priority),
                "dagster-ray/config": json.dumps({"num_cpus": 0 if on_cluster else 1}),
            },
            code_version=hashlib.sha256((code + decides).encode()).hexdigest()[:16],
        )(function)

    return declare


def _asset(**about: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Dagster's decorator, without its warning that backfill policies are new."""

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            made: dg.AssetsDefinition = dg.asset(**about)(function)
            return made

    return declare


def _kinds(conf: Dataset) -> Iterator[str]:
    """The modules of the kinds of task and tokens that conf names."""
    return (type(section).__module__ for section in (conf.task, *conf.tokens))


def _used(code: CodeType, names: Mapping[str, Any]) -> Iterator[str]:
    """The modules of `pipeline` from which a function uses something, also in its comprehensions."""
    for name in code.co_names:
        used = names.get(name)
        module = used.__name__ if isinstance(used, ModuleType) else getattr(used, "__module__", None) or ""
        if module.startswith("pipeline."):
            yield module
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _used(inner, names)


def data_version(made_of: Any) -> dg.DataVersion:
    """The data version of a value: a hash of what it is made of."""
    return dg.DataVersion(hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16])
