"""What is learned: which tokens are missing from a list, or which number belongs to it."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section


class MissingTokens(Section):
    """Which tokens are missing from this list? Softmax over the whole vocabulary."""

    kind: Literal["missing_tokens"]
    fold_in: float = Field(0.3, gt=0, lt=1)
    """Share of a held-out example's tokens that goes in; the others are its ground-truth labels (3 in, 7 out)."""
    judged: int | None = Field(None, ge=1)
    """At most so many of the validation examples, and of the test examples, are judged: a seeded sample. Default:
    10,000, or as many as make 2 billion logits where that is more."""


class Regression(Section):
    """Which number belongs to this list?"""

    kind: Literal["regression"]
    target: str
    """The column with the number to predict."""
    log: bool = True
    """Train on the logarithm: for prices and other numbers above 0."""
    dense: tuple[str, ...] = ()
    """Numeric columns that help to predict, beside the tokens."""


Task = Annotated[MissingTokens | Regression, Field(discriminator="kind")]
