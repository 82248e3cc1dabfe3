"""Tells the encoding of a text by its first bytes."""

import codecs
import re
from collections import Counter
from collections.abc import Iterable

from pipeline.records.source.streams import MARKS, utf_16_or_8

_WESTERN = "windows-1252"
_VOTES = 100
"""Of many texts about so many tell their encoding."""
_WRITTEN = b"\x80\x82\x84\x85\x8b\x91\x92\x93\x94\x95\x96\x97\x9b\xa0\xa3\xa7\xab\xb0\xb2\xb3\xb7\xba\xbb".decode(
    _WESTERN
)
"""Characters that are no letters, and yet stand in texts of Western Europe: quotation marks, dashes, currencies."""
_UNUSUAL = b"\x8a\x8e\x9a\x9e\xa4\xa6\xac\xb6\xd0\xdd\xde\xf0\xfd\xfe".decode(_WESTERN)
"""Characters of that encoding that few texts have; letters of other encodings look like them."""


def decoded(start: bytes) -> tuple[str, str | None]:
    """The start of a file as text, and its encoding if that has to be said."""
    mark = next((mark for mark in MARKS if start.startswith(mark)), None)
    if mark is not None:
        return start[len(mark) :].decode(MARKS[mark], "ignore"), None
    if (in_utf_16 := utf_16_or_8(start)) != "utf-8":
        return start.decode(in_utf_16, "ignore"), None
    for cut in range(4):  # the last letter may be cut in two
        try:
            return start[: len(start) - cut].decode(), None
        except UnicodeDecodeError as error:
            if error.start < len(start) - 4:
                break
    encoding = _WESTERN if _is_western(start) else _by_its_letters(start)
    return start.decode(encoding, "replace"), encoding


def of_many(starts: Iterable[bytes]) -> tuple[str | None, int]:
    """The encoding of many texts if that has to be said, and how many of them are not UTF-8.

    It has to be where fewer have letters in UTF-8. Texts without such letters are the same in both.
    """
    n_in_utf8, others = 0, []
    for start in starts:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(start)  # the last letter may be cut in two
            n_in_utf8 += not start.isascii()
        except UnicodeDecodeError:
            others.append(start)
    if len(others) <= n_in_utf8:
        return None, len(others)
    votes = Counter(decoded(start)[1] for start in others[:: -(-len(others) // _VOTES)])
    return votes.most_common(1)[0][0], len(others)


def _is_western(start: bytes) -> bool:
    """Whether bytes are text in the encoding of Western Europe: their special characters are letters that it writes."""
    try:
        special = [letter for letter in start.decode(_WESTERN) if letter > "\x7f"]
    except UnicodeDecodeError:
        return False
    usual = sum(letter.isalpha() or letter in _WRITTEN for letter in special)
    odd = sum(letter in _UNUSUAL for letter in special)
    words = [word for word in re.findall(r"[^\W\d_]+", start.decode(_WESTERN)) if not word.isascii()]
    shouted = sum(word[1:] != word[1:].lower() and word != word.upper() for word in words)  # an umlaut inside a word
    # letters of another alphabet look like words of hardly anything but accents
    foreign = sum(sum(letter > "\x7f" for letter in word) > max(2, len(word) / 2) for word in words)
    is_usual = usual > 0.9 * len(special) and odd < 0.05 * len(special)
    return is_usual and shouted < 0.2 * len(words) and foreign < 0.2 * len(words)


def _by_its_letters(start: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(start).best()
    return best.encoding if best is not None else _WESTERN
