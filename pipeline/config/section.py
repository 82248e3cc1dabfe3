"""A part of a conf file as a frozen object that refuses what it does not know, and the types that several share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

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

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    known = [name for name in cls.model_fields if name not in NOT_WRITTEN]
                    message = f"unknown key, {nearest(str(key), known)}"
                    raise PydanticCustomError("unknown_key", message, {"key": str(key)})
        return data


Columns = Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(as_tuple), Field(min_length=1)]
Integers = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(as_tuple), Field(min_length=1)]
Dimensions = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(as_tuple), AfterValidator(_once_each), Field(min_length=1)
]
