"""The reference of conf files, as Markdown, from the settings themselves: `python -m pipeline.config.reference`."""

import typing
from collections.abc import Iterator

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config.baselines import RIVALS, Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.records import ItemTokens, Source, Split, ValueTokens, VocabularySettings, WordTokens
from pipeline.config.section import Section
from pipeline.config.tasks import MissingTokens, Regression
from pipeline.config.training import MissingTokensTraining, RegressionTraining

_HEAD = """\
# Conf files

One file in `conf/` is one dataset and one complete experiment; its name is the dataset's. This page is written by
`make docs` from `pipeline/config/`. A key that is not listed here is refused, with the nearest one that is.
"""
_SECTIONS: dict[str, type[Section]] = {
    "The file": Dataset,
    "`source`": Source,
    "`tokens`: `kind: value`": ValueTokens,
    "`tokens`: `kind: words`": WordTokens,
    "`tokens`: `kind: items`": ItemTokens,
    "`split`": Split,
    "`vocabulary`": VocabularySettings,
    "`task`: `kind: missing_tokens`": MissingTokens,
    "`task`: `kind: regression`": Regression,
    "`training` of missing tokens": MissingTokensTraining,
    "`training` of a regression": RegressionTraining,
    "`baseline`": Baseline,
    **{f"`rivals`: `{kind.model_fields['kind'].default}`": kind for kinds in RIVALS.values() for kind in kinds},
}


def reference() -> str:
    """All sections, each a table of its keys with default and meaning."""
    return "\n".join([_HEAD, *(_section(title, model) for title, model in _SECTIONS.items())])


def _section(title: str, model: type[Section]) -> str:
    return "\n".join(
        [f"## {title}\n", _said(model.__doc__), "", "| key | default | meaning |", "|---|---|---|", *_rows(model), ""]
    )


def _rows(model: type[Section]) -> Iterator[str]:
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] != "kind"):
        if name == "name" or (name == "kind" and "Training" in model.__name__):
            continue
        default = "" if name in ("training", "rivals") else _default(field)  # those depend on the task
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
