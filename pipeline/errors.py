"""The one exception whose message is for users. Any other exception is a defect of the pipeline."""

import difflib
from collections.abc import Iterable

from pipeline.secrets import masked

_LONGEST = 60
"""Characters of a word that a message shows."""


class PipelineError(Exception):
    """A mistake that the user can correct: its message says what is wrong, where, and what to do, and no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


def nearest(word: str, words: Iterable[str]) -> str:
    """A hint for a word that is not among `words`: the one that was probably meant, or a list of them.

    >>> nearest("sead", ["seed", "split"])
    "did you mean 'seed'?"
    >>> nearest("user", ["USER", "uses"]), nearest("x", ["seed", "split"])
    ("did you mean 'USER'?", 'there is: seed, split')
    >>> nearest("lines", ["lines.sku", "lines.price", "line"])
    'its fields are columns: lines.price, lines.sku'
    """
    words = sorted(_shown(word) for word in words)
    same = [other for other in words if other.casefold() == word.casefold()]
    if same:
        return f"did you mean {same[0]!r}?"
    fields = [other for other in words if other.startswith(f"{word}.")]
    if fields:
        return f"its fields are columns: {', '.join(fields[:30])}"
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there is: {', '.join(words[:30])}{', ...' if len(words) > 30 else ''}"


def first_line(error: Exception) -> str:
    r"""The first line of what an error says, for a message of ours.

    >>> first_line(ValueError("no such column\n\nResolved plan until failure: ..."))
    'no such column'
    """
    return str(error).strip().split("\n", 1)[0]


def in_one_line(error: Exception) -> str:
    r"""What an error says, in one line of at most 300 characters, for a message of ours.

    >>> in_one_line(ValueError("no such table\n  at line 1"))
    'no such table at line 1'
    """
    return " ".join(str(error).split())[:300]


def number_of(n: int, noun: str) -> str:
    """How many things there are, for a sentence.

    >>> number_of(1, "record"), number_of(1200, "test example")
    ('1 record', '1,200 test examples')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _shown(word: str) -> str:
    """A word as a message can show it: in one line, and not too long."""
    visible = "".join(one if one.isprintable() else " " for one in word).strip()
    return visible if len(visible) <= _LONGEST else f"{visible[:_LONGEST]}..."
