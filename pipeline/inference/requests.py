"""What a request may hold, and the sentences that tell what it may not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors import PipelineError

Rows = Sequence[Mapping[str, Any]]
"""A request: for each row, values by the names of the columns."""

MOST_ROWS = 10_000
"""A request with more rows is refused: files are scored in bulk."""
MOST_TOKENS = 10_000
"""A list with more tokens is refused."""


def require_rows(rows: Rows) -> None:
    """Refuse a request without rows, or with too many.

    Raises:
        PipelineError: says how many there can be.
    """
    if not 0 < len(rows) <= MOST_ROWS:
        raise PipelineError(f"the request has {len(rows):,} rows, and 1 to {MOST_ROWS:,} are answered at once.")


def texts(value: Any, where: str) -> list[str]:
    """A list of texts; whole numbers are taken as texts.

    Args:
        value: what was given.
        where: it stands, for a message.

    Raises:
        PipelineError: it is no list, is too long, or holds something else.
    """
    if isinstance(value, np.ndarray | tuple):
        value = list(value)
    if not isinstance(value, list):
        raise PipelineError(f"{where}: is {short(value)}, and a list of texts is asked for.")
    if len(value) > MOST_TOKENS:
        raise PipelineError(f"{where}: has {len(value):,} tokens, and {MOST_TOKENS:,} at most are read.")
    for one in value:
        if isinstance(one, bool) or not isinstance(one, str | int | np.integer):
            raise PipelineError(f"{where}: has {short(one)}, and a text is asked for.")
    return [str(one) for one in value]


def short(value: Any) -> str:
    """A value as a message shows it."""
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
