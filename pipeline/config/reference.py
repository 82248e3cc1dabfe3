"""Makes the reference of conf files, as Markdown, from the settings: `python -m pipeline.config.reference`."""

import typing
from collections.abc import Iterator

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.inference import InferenceSettings
from pipeline.config.records import Period, Source, Split, VocabularySettings
from pipeline.config.refresh import Refresh
from pipeline.config.section import Section
from pipeline.config.task import Task
from pipeline.config.tokens import Tokens
from pipeline.config.training import Schedule, Training

_HEAD = """\
# Conf files

One file in `conf/` is one dataset and one complete experiment; its name is the dataset's. This page is written by
`make docs` from `pipeline/config/`. A key that is not listed here is refused, with the nearest one that is.
"""


def reference() -> str:
    """The whole page: one table per section, with its keys, their defaults and their meanings."""
    return "\n".join([_HEAD, *(_section(title, model) for title, model in _sections().items())])


def _sections() -> dict[str, type[Section]]:
    return {
        "The file": Dataset,
        "`source`": Source,
        "`period` of `source`": Period,
        **{f"`tokens`: `kind: {kind}`": model for kind, model in Tokens.kinds().items()},
        "`split`": Split,
        "`vocabulary`": VocabularySettings,
        **{f"`task`: `kind: {kind}`": model for kind, model in Task.kinds().items()},
        "`training` of every task": Schedule,
        **{f"`training` of the task `{kind}`": model for kind, model in Training.kinds().items()},
        **{f"`baselines`: `{kind}`": model for kind, model in Baseline.kinds().items()},
        "`refresh`": Refresh,
        "`inference`": InferenceSettings,
    }


def _section(title: str, model: type[Section]) -> str:
    words = [_said(model.__doc__)]
    if _shared(model):
        words.append("The keys of `training` of every task hold here too.")
    return "\n".join(
        [f"## {title}\n", " ".join(words), "", "| key | default | meaning |", "|---|---|---|", *_rows(model), ""]
    )


def _shared(model: type[Section]) -> set[str]:
    """The keys of a section that are those of every training, with the same meaning and default."""
    if model is Schedule or not issubclass(model, Schedule):
        return set()
    common = Schedule.model_fields
    return {name for name, field in model.model_fields.items() if name in common and _same(field, common[name])}


def _same(field: FieldInfo, other: FieldInfo) -> bool:
    return (field.description, field.default) == (other.description, other.default)


def _rows(model: type[Section]) -> Iterator[str]:
    left_out = {"name", *_shared(model)}
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] != "kind"):
        if name in left_out or (name == "kind" and issubclass(model, Training)):
            continue
        default = "" if name in ("training", "baselines") else _default(field)  # their defaults depend on the task
        yield f"| `{name}` | {default} | {_said(field.description) or _see(name, field)} |"


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return ""
    if field.default is PydanticUndefined:
        return "" if typing.get_origin(field.annotation) is typing.Literal else "*needed*"
    if isinstance(field.default, Section):
        return ""
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _see(name: str, field: FieldInfo) -> str:
    if name == "kind":
        return f"`{typing.get_args(field.annotation)[0]}`"
    return f"see `{name}` below"


def _said(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
