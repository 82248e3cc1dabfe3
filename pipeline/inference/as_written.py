"""Numbers, true and false as the source writes them in a column of texts, by the tokens that are known.

JSON and pandas tell 3.0 and true where a file says `3` and `True`, and texts that differ are other tokens.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.records.tokens.naming import written
from pipeline.records.tokens.value import ValueTokens
from pipeline.vocabulary.vocabulary import Vocabulary

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_TRUTHS = {"true", "false"}


class AsWritten:
    """Writes values as some texts do.

    >>> write = AsWritten(["3", "007", "True", "ann"])
    >>> write(3.0), write(7), write(True), write(2.5), write("3.0")
    ('3', '007', 'True', 2.5, '3.0')
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Prepare for texts; of several for one value the first is taken, unless another is the value's own."""
        self._texts: set[str] = set()
        self._meant: dict[str | Decimal, str] = {}
        for text in texts:
            self._texts.add(text)
            if text.lower() in _TRUTHS:
                self._meant.setdefault(text.lower(), text)
            elif _NUMBER.fullmatch(text):
                self._meant.setdefault(Decimal(text), text)

    def __call__(self, value: Any) -> Any:
        """The text of a number, or of true or false; another value, or one without a text, as it is."""
        if not isinstance(value, bool | int | float):
            return value
        text = str(value)
        if text in self._texts:
            return text
        return self._meant.get(text.lower() if isinstance(value, bool) else Decimal(text), value)


def writers(vocabulary: Vocabulary, conf: Dataset, schema: pl.Schema) -> dict[str, AsWritten]:
    """A writer for each column of texts whose values are tokens: it writes values as that column writes them."""
    tokens = vocabulary.tokens["token"].gather(vocabulary.by_count)
    found = {}
    for section in conf.tokens:
        for column in section.columns if isinstance(section, ValueTokens) else ():
            if schema.get(column) == pl.String:
                start = pl.select(written(section, column, conf, pl.lit(""))).item()
                own = tokens.filter(tokens.str.starts_with(start))
                found[column] = AsWritten(own.str.slice(len(start)).to_list())
    return found
