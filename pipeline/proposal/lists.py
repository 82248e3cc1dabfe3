"""Proposes lists of tokens: of rows that have the same value in a column, or of the items of a line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.proposal.hints import OF_LABELS, OF_WEIGHTS
from pipeline.proposal.look import Guess, Look
from pipeline.proposal.profile import Profile, profile
from pipeline.proposal.sections import Shape, where
from pipeline.proposal.target import quoted
from pipeline.proposal.tokens import tokens

_PUNCTUATION = r"[\p{L}\p{N}][\"')\p{Pf}]*[.!?…,;:](\s|$)"
_MOST = 0.5
_NAMES = 0.5
"""There are more than so many different names for each token: tracks have names of their own, and share an artist's."""


def of_lines(look: Look, delimiter: Guess) -> Shape:
    """Each line is a text, or a list of items, which a delimiter divides."""
    line = profile(look.frame["line"])
    if line.holds == "texts" and _are_sentences(look.frame["line"], line.is_unspaced, delimiter.value):
        task = Guess({"kind": "missing_tokens"}, "words of a line predict the other words")
        found = Shape(task, tokens(look.frame, [line], target=None))
    else:
        section = {"kind": "items", "columns": "line", "delimiter": delimiter.value}
        found = Shape(
            Guess({"kind": "missing_tokens"}, "items of a list predict the other items"),
            [Guess(section, f"each line is a list: {delimiter.reason}")],
        )
    found.count(look.frame.height, look)
    return found


def _are_sentences(lines: pl.Series, is_unspaced: bool, delimiter: str) -> bool:
    """Whether most lines have a word with a comma or the end of a sentence behind it, and are no lists of what repeats.

    In a script without blanks between words they need not have that.
    """
    lines = lines.unique()
    pieces = lines.str.split(delimiter).explode().str.strip_chars().drop_nulls()
    repeat = delimiter != " " and (~pieces.is_unique()).sum() > _MOST * len(pieces)
    return not repeat and (is_unspaced or lines.str.contains(_PUNCTUATION).sum() > _MOST * len(lines))


def of_pairs(look: Look, profiles: dict[str, Profile], example: str, token: str, otherwise: str) -> Shape:
    """The rows with the same value in a column are a list.

    Args:
        look: the start of the source.
        profiles: of its columns.
        example: the column that says which rows are one list.
        token: the column of the items.
        otherwise: what else these columns could be.
    """
    frame = look.frame
    each = frame.height / profiles[example].n_different
    section: dict[str, Any] = {"kind": "value", "columns": token}
    label = _label(frame, profiles, token)
    if label is not None:
        section["label"] = label
    found = Shape(
        Guess({"kind": "missing_tokens"}, f"some values of {token} predict the others of a list"),
        [Guess(section, f"the {profiles[token].n_different:,} values of {token} repeat over the lists")],
        Guess(example, f"rows with the same {example} are one list, of {each:.1f} rows on average", otherwise),
    )
    found.count(profiles[example].n_different, look)
    for one in profiles.values():
        if one.holds in ("numbers", "categories") and one.named("rating", "stars", "score", "bewertung"):
            liked = _liked(frame[one.name].cast(pl.Float64, strict=False).drop_nulls().to_numpy())
            if liked is not None:
                found.notes.append(f"where: {quoted(one.name)} >= {liked:g}   # only what people like")
    found.where = where([profiles[example], profiles[token]])
    found.weight = _weight([one for one in profiles.values() if one.name not in (example, token)])
    return found


def _liked(ratings: npt.NDArray[np.float64]) -> float | None:
    """The most frequent rating that is not below the median; None if no rating is lower, so that all would stay."""
    if not len(ratings):
        return None
    values, counts = np.unique(ratings[ratings >= np.median(ratings)], return_counts=True)
    liked = float(values[counts.argmax()])
    return liked if liked > ratings.min() else None


def _weight(others: Sequence[Profile]) -> Guess | None:
    """The column that may say how much a row counts."""
    able = [one for one in others if one.holds in ("numbers", "ids", "categories") and one.is_positive]
    named = [one.name for hint in OF_WEIGHTS for one in able if one.named(hint) and not one.missing]
    if not named:
        return None
    is_sure = named[0].lower() in ("weight", "gewicht")
    reason = "how much a row counts; without it all count the same"
    return Guess(named[0], reason) if is_sure else Guess(None, reason, named[0])


def _label(frame: pl.DataFrame, profiles: dict[str, Profile], token: str) -> str | None:
    """A column with a name for each token that, by its own name, reads better than the token; None if there is none."""
    for one in profiles.values():
        if one.name == token or not one.named(*OF_LABELS) or one.holds in ("numbers", "dates", "nothing", "lists"):
            continue
        names = frame.group_by(pl.col(token).alias("token")).agg(pl.col(one.name).drop_nulls().unique().alias("names"))
        has_one = (names["names"].list.len() <= 1).mean() > 0.95  # type: ignore[operator]
        if has_one and names["names"].list.first().n_unique() > _NAMES * names.height:
            return one.name
    return None
