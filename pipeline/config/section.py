"""The base classes of all sections of a conf file, and the types that several sections share."""

import typing
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializationInfo,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pipeline.errors import nearest

NOT_WRITTEN = ("name",)
"""Fields that do not come from the text of a conf file."""


def as_tuple(value: Any) -> Any:
    """A single value as a tuple of one."""
    return (value,) if isinstance(value, str | int | float) else value


class OneOrMore:
    """Annotates a list for which a conf file may also give a single value."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads such a field."""
        return core_schema.no_info_before_validator_function(as_tuple, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema by which an editor accepts the list, or a single one of its values."""
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


def different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values; they are refused if one of them is there twice."""
    if len(set(values)) < len(values):
        raise PydanticCustomError("twice", "this names something twice")
    return values


def _once_each(dimensions: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(dimensions)) < len(dimensions):
        raise PydanticCustomError("dimensions", "this names a D twice")
    return tuple(sorted(dimensions))


def _low_then_high(shares: tuple[float, float]) -> tuple[float, float]:
    if shares[0] > shares[1]:
        raise PydanticCustomError("shares", "this is the lowest share and the highest")
    return shares


class Section(BaseModel):
    """A section of a conf file: it is frozen, and refuses an unknown key with a hint at the nearest valid one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
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

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_what_python_would_bend(cls, value: Any, info: ValidationInfo) -> Any:
        """The value; not true or false where that would be 1 or 0, and no whole number beyond 32 bits."""
        assert info.field_name is not None
        annotation = cls.model_fields[info.field_name].annotation
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, bool) and bool not in (annotation, *typing.get_args(annotation)):
                text = "this should be text, such as a column's name: put it in quotes if it is"
                cure = text if _can_be_text(annotation) else "this should be something else, such as a number"
                raise PydanticCustomError("truth", f"YAML reads this word as true or false, and {cure}")
            if isinstance(one, int) and abs(one) >= 2**32:
                raise PydanticCustomError("too_large", "this number is too large")
        return value


def _can_be_text(annotation: Any) -> bool:
    """Whether a field with this annotation can hold a text of the user's own, or a list of such texts."""
    return annotation is str or any(_can_be_text(one) for one in typing.get_args(annotation))


class Kind(Section):
    """A section that comes in kinds: its key `kind` names the class that has its other keys and does the work.

    All there is to a kind is in one file. The base class, in this folder, says what the pipeline asks of every kind.
    """

    kind: str
    modules: ClassVar[Mapping[str, str]]
    """The module of each kind, below `pipeline`."""

    @classmethod
    def kinds(cls) -> dict[str, type[Self]]:
        """The class of each kind, by the name of the kind; imports all their modules."""
        return {kind: cls.named(kind) for kind in cls.modules}

    @classmethod
    def named(cls, kind: str) -> type[Self]:
        """The class of a kind; imports its module.

        Raises:
            LookupError: the module has no class of that kind.
        """
        module = import_module(f"pipeline.{cls.modules[kind]}")
        for member in vars(module).values():
            if isinstance(member, type) and issubclass(member, cls) and member.kind_name() == kind:
                return member
        raise LookupError(f"{module.__name__} has no {cls.__name__} of the kind {kind!r}")

    @classmethod
    def kind_name(cls) -> str | None:
        """The value of `kind` that names this class; None for a base class."""
        return next(iter(typing.get_args(cls.model_fields["kind"].annotation)), None)


class OneOf:
    """Annotates a field whose type is a base class: its value has the class that `kind` names, imported on reading."""

    _base: type[Kind]

    def __init__(self, by_name: bool = False) -> None:
        """Annotate a field.

        Args:
            by_name: whether the name of a kind may stand for the kind with its default settings.
        """
        self._by_name = by_name

    def __get_pydantic_core_schema__(self, base: type[Kind], _: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads and writes such a field."""
        self._base = base
        written = core_schema.plain_serializer_function_ser_schema(self._write, info_arg=True)
        return core_schema.no_info_plain_validator_function(self._read, serialization=written)

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What an editor accepts there: the settings of each kind."""
        sections = [handler(kind.__pydantic_core_schema__) for kind in self._base.kinds().values()]
        return {"anyOf": [*([{"enum": [*self._base.modules]}] if self._by_name else []), *sections]}

    def _read(self, value: Any) -> Kind:
        if isinstance(value, self._base):
            return value
        if self._by_name and isinstance(value, str):
            value = {"kind": value}
        if not isinstance(value, dict):
            raise PydanticCustomError("no_section", "this should hold settings, each as `key: value`")
        kind = value.get("kind")
        if kind is None:
            raise PydanticCustomError("no_kind", "say which `kind` it is")
        if not isinstance(kind, str) or kind not in self._base.modules:
            there = ", ".join(map(repr, self._base.modules))
            raise PydanticCustomError("odd_kind", f"no such `kind`: {kind!r}, there is: {there}")
        return self._base.named(kind).model_validate(value)

    @staticmethod
    def _write(value: Kind, info: SerializationInfo) -> dict[str, Any]:
        return value.model_dump(mode=info.mode)


Columns = Annotated[tuple[str, ...], Field(min_length=1), OneOrMore(), AfterValidator(different)]
Share = Annotated[float, Field(gt=0, le=1)]
Shares = Annotated[tuple[Share, Share], AfterValidator(_low_then_high)]
Positive = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1), OneOrMore(), AfterValidator(different)
]
NotNegative = Annotated[
    tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1), OneOrMore(), AfterValidator(different)
]
Integers = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1), OneOrMore(), AfterValidator(different)
]
Dimensions = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1), OneOrMore(), AfterValidator(_once_each)
]
