"""What the rest of the pipeline asks of a kind of tokens; each kind has a file of its own in `records.tokens`."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pipeline.config import kinds
from pipeline.config.section import Columns, Kind
from pipeline.config.task import Column

if TYPE_CHECKING:
    import polars as pl


def _low_then_high(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise PydanticCustomError("lengths", "this is the shortest length and the longest")
    return value


Length = Annotated[int, Field(ge=1, le=20)]
Lengths = Annotated[tuple[Length, Length], AfterValidator(_low_then_high)]
"""The shortest length and the longest."""


class Tokens(Kind, ABC):
    """One way to make tokens from columns of the raw records."""

    modules: ClassVar = kinds.TOKENS
    gives_lists: ClassVar[bool]
    """Whether a row gives a list of tokens, instead of one token."""
    reads_lists: ClassVar[bool] = False
    """Whether a value of its columns is a list, in an order, instead of a single value or a text."""
    role: ClassVar[str]
    """What a column of this kind is for, in words."""
    describing: ClassVar[tuple[str, ...]] = ()
    """The settings that only tell people about the tokens."""

    columns: Columns
    """The column, or columns, of the raw records to make tokens from."""
    qualified: bool | Annotated[str, Field(min_length=1)] | None = None
    """Write tokens as `column=token`; or as `red=token` with `qualified: red`, so that the same token is another one in
    the columns of another section, as a player is in another team. Default: yes as soon as tokens come from more than
    one column."""
    lowercase: bool
    """Lower-case the tokens."""

    def rules(self, column: str, dtype: "pl.DataType") -> "list[tuple[str, pl.Expr]]":
        """Why a record cannot be used: each reason in words, and whether it holds for each record."""
        return []

    @property
    def rows_at_once(self) -> int:
        """How many rows can be in memory at once with their tokens."""
        return 20_000 if self.gives_lists else 250_000

    @abstractmethod
    def texts(self, column: str, dtype: "pl.DataType") -> "pl.Expr | None":
        """The text, or list of texts, of each row; None if this kind cannot be made from such a column."""

    def label_text(self) -> "pl.Expr | None":
        """The label that people read for a row's token; None if they read the token itself."""
        return None

    def described_by(self) -> tuple[str, ...]:
        """The columns that describe a token on the pages."""
        return ()

    def undescribed(self) -> Self:
        """These settings without what only tells people about the tokens."""
        return self.model_copy(update=dict.fromkeys(self.describing))

    def named_columns(self) -> list[Column]:
        """Every column of the raw records that this section names, with the key that names it."""
        return [Column(f"columns[{i}]", column, self.role) for i, column in enumerate(self.columns)]
