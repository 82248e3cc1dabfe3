"""What the launchpad offers: the settings of conf as fields with their values and meaning, for one materialisation.

Nothing is written into the conf file; MLflow records the settings of each run.
"""

import os
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
from pydantic import Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from pipeline.baselines.pca import Pca
from pipeline.config.dataset import Dataset
from pipeline.config.section import Section
from pipeline.errors import PipelineError
from pipeline.estimators import PCA

_FORCE = (bool, Field(default=False, description="Repeat fits that are unchanged; so does the environment's FORCE=1."))
_NOT_OFFERED = ("kind", "dimensions")
_LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
"""Pydantic's limits of a number, in words."""


def embedding_config(conf: Dataset) -> type[dg.Config]:
    """The settings of the learned embedding of this dataset."""
    return create_model(
        f"EmbeddingOf_{conf.name}",
        __base__=dg.Config,
        __doc__="The learned embedding: its dimensions and how it is trained.",
        force=_FORCE,
        dimensions=_dimensions(conf.dimensions, "Each D to fit. Default: 1, 2, 3, 4, 8, ... 128."),
        training=(
            model := _section(f"TrainingOf_{conf.name}", conf.training),
            Field(default_factory=model, description="How the network is trained."),
        ),
    )


def pca_config(conf: Dataset) -> type[dg.Config]:
    """The settings of PCA for this dataset."""
    pca = _pca(conf)
    described = Pca.model_fields["dimensions"].description or ""
    return create_model(
        f"PcaOf_{conf.name}",
        __base__=dg.Config,
        __doc__="PCA: its dimensions.",
        force=_FORCE,
        dimensions=_dimensions(pca.dimensions, described),
    )


def other_baselines_config(conf: Dataset) -> type[dg.Config]:
    """The settings of the other baselines: only whether they are repeated."""
    return create_model(
        f"OtherBaselinesOf_{conf.name}", __base__=dg.Config, __doc__="Whether the fits are repeated.", force=_FORCE
    )


class _Checked(dg.Shape):
    """Fields whose values Pydantic checks when a run is submitted: Dagster's own config knows no ranges."""

    check: Callable[[Mapping[str, Any]], Any]
    """Raises an error if a value makes no sense."""

    def __new__(cls, *_: Any) -> "_Checked":
        """A schema of its own; of schemas with the same fields Dagster would take the one that was made first."""
        made = object.__new__(cls)
        made._initialized = False
        return made

    def post_process(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The value itself; Dagster calls this before it plans a run."""
        self.check(value)
        return value


def schema(conf: Dataset, asset: str, kind: type[dg.Config]) -> dg.Shape:
    """What Dagster offers for an asset, and accepts: a value that makes no sense is refused before there is a run."""
    # Dagster finds a schema by its fields and description, and those of two datasets may have the same fields
    made = _Checked(kind.to_fields_dict(), f"{kind.__doc__} Of {conf.name}.")
    made.check = lambda typed: with_config(conf, asset, kind(**typed))
    return made


def _pca(conf: Dataset) -> Pca:
    pca = conf.baseline(PCA)
    assert isinstance(pca, Pca)
    return pca


def with_config(conf: Dataset, asset: str, config: Any) -> Dataset:
    """The dataset with the launchpad's settings for one asset.

    Raises:
        PipelineError: a value is not valid.
    """
    settings = conf.model_dump(mode="json")
    if asset == "embedding":
        settings["dimensions"] = config.dimensions or None
        typed = {name: getattr(config.training, name) for name in type(config.training).model_fields}
        settings["training"] |= {name: None if value == [] else value for name, value in typed.items()}
    elif asset == "pca":
        for baseline in settings["baselines"]:
            if baseline["kind"] == PCA:
                baseline["dimensions"] = config.dimensions or None
    try:
        return Dataset.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"][2:] if first["loc"][0] == "baselines" else first["loc"]))
        what = f"{first['input']!r} cannot be used. {first['msg']}"
        raise PipelineError(f"launchpad of {conf.name}/{asset}, {key}: {what}.") from None


def is_forced(config: Any) -> bool:
    """Whether unchanged fits are repeated."""
    return bool(config.force) or os.environ.get("FORCE") == "1"


def _dimensions(value: tuple[int, ...] | None, description: str) -> tuple[Any, Any]:
    return (list[int], Field(default=list(value or ()), description=_one_line(description)))


def _section(name: str, section: Section) -> type[dg.Config]:
    fields: dict[str, Any] = {}
    for key, field in type(section).model_fields.items():
        if key not in _NOT_OFFERED:
            kind, value = _plain(field.annotation), getattr(section, key)
            default = list(value or ()) if typing.get_origin(kind) is list else value
            fields[key] = (kind, Field(default=default, description=_one_line(field.description) + _range(field)))
    return create_model(name, __base__=dg.Config, __doc__=_one_line(type(section).__doc__), **fields)


def _range(field: FieldInfo) -> str:
    """What a number may be, in words; nothing if it may be any."""
    limits = [
        (words, getattr(one, key)) for one in field.metadata for key, words in _LIMITS.items() if hasattr(one, key)
    ]
    return f" ({', '.join(f'{words} {value}' for words, value in limits)})" if limits else ""


def _plain(annotation: Any) -> Any:
    """A type that Dagster's config knows: a tuple becomes a list, which is empty if the setting has no value.

    The launchpad shows an empty list, but leaves out a setting without a value.
    """
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [_plain(part) for part in typing.get_args(annotation) if part is not type(None)]
        assert len(parts) == 1
        return parts[0] if typing.get_origin(parts[0]) is list else parts[0] | None
    if typing.get_origin(annotation) is tuple:
        return types.GenericAlias(list, typing.get_args(annotation)[:1])
    return annotation


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
