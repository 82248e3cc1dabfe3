"""How a finished fit answers."""

from pydantic import Field

from pipeline.config.section import Section


class InferenceSettings(Section):
    """How the champion answers: exactly or with an index, with how wide an interval, and how much in bulk."""

    exact_up_to: int = Field(100_000, ge=1)
    """With more tokens than this, the best tokens for a list are found with an index, not by scoring all. The page of
    the asset `champion` says how many of the exact ones it finds."""
    top: int = Field(100, ge=1, le=10_000)
    """How many tokens the asset `recommendations` holds for each example."""
    coverage: float = Field(0.9, gt=0, lt=1)
    """The probability with which the interval around a predicted number should cover the true one."""
