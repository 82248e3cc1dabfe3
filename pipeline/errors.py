"""The one exception whose message is for users. Any other exception is a defect of the pipeline."""

import difflib
from collections.abc import Iterable

from pipeline.secrets import masked


class PipelineError(Exception):
    """A mistake that the user can correct: its message says what is wrong, where, and what to do, and no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


def nearest(word: str, words: Iterable[str]) -> str:
    """A hint for a word that is not among `words`: the one that was probably meant, or a list of them.

    >>> nearest("sead", ["seed", "split"])
    "did you mean 'seed'?"
    >>> nearest("x", ["seed", "split"])
    'there is: seed, split'
    """
    words = sorted(words)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there is: {', '.join(words[:30])}{', ...' if len(words) > 30 else ''}"
