"""A part of a conf file as a frozen object that refuses what it does not know, and the types that several share."""

import typing
from collections.abc import Mapping
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from pipeline.errors import nearest

NOT_WRITTEN = ("name",)
"""Fields that do not come from the text of a conf file."""


def as_tuple(value: Any) -> Any:
    """A single value as a tuple of one."""
    return (value,) if isinstance(value, str | int | float) else value


def _once_each(dimensions: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(dimensions)) < len(dimensions):
        raise PydanticCustomError("dimensions", "this names a D twice")
    return tuple(sorted(dimensions))


class Section(BaseModel):
    """A part of a conf file: frozen, and an unknown key is refused with the nearest valid one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys of earlier versions, and what to write instead."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    known = [name for name in cls.model_fields if name not in NOT_WRITTEN]
                    message = f"unknown key, {cls.renamed.get(key) or nearest(str(key), known)}"
                    raise PydanticCustomError("unknown_key", message, {"key": str(key)})
        return data


class Kind(Section):
    """A section that comes in kinds: its key `kind` names the class that has its other keys, and does what they say.

    A kind is all in one file. The base class, in this folder, says what the pipeline asks of each.
    """

    kind: str
    modules: ClassVar[Mapping[str, str]]
    """Where each kind is."""

    @classmethod
    def kinds(cls) -> dict[str, type[Self]]:
        """The class of each kind, by its name; imports their modules.

        Raises:
            LookupError: a module has no class of that kind.
        """
        return {kind: cls._found(kind, import_module(f"pipeline.{module}")) for kind, module in cls.modules.items()}

    @classmethod
    def _found(cls, kind: str, module: Any) -> type[Self]:
        for member in vars(module).values():
            if isinstance(member, type) and issubclass(member, cls) and member.kind_name() == kind:
                return member
        raise LookupError(f"{module.__name__} has no {cls.__name__} of the kind {kind!r}")

    @classmethod
    def kind_name(cls) -> str | None:
        """The only value of `kind`; None for a base class."""
        return next(iter(typing.get_args(cls.model_fields["kind"].annotation)), None)


class OneOf:
    """Annotates a field of a base class: its value is of the class that `kind` names."""

    def __get_pydantic_core_schema__(self, source: type[Kind], handler: GetCoreSchemaHandler) -> CoreSchema:
        kinds: Any = reduce(or_, source.kinds().values())
        return handler.generate_schema(Annotated[kinds, Field(discriminator="kind")])


Columns = Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Integers = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(as_tuple), Field(min_length=1)]
Dimensions = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(as_tuple), AfterValidator(_once_each), Field(min_length=1)
]
