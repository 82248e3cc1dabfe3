"""Which column of a table is to be predicted, where every row is an example."""

from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.proposal.hints import IDS, NO_CATEGORIES, OF_CLASSES, OF_MONEY, OF_NUMBERS, OF_TRAITS, SURELY_CLASSES
from pipeline.proposal.look import Guess
from pipeline.proposal.profile import Profile, is_there
from pipeline.records.values.numbers import Decimal, numbers_of

_FACTOR = 2
"""Of numbers that vary by factors, the highest is at least so many times the lowest."""
MOST_CODES_OF_CLASSES = 10
"""Whole numbers of at most so many different values may be classes, such as 0 and 1 for whether a loan was paid."""
_MOST_CLASSES = 50
_ROWS_OF_A_CLASS = 10
"""Mean number of rows of a class, at least, where more than that many have a name that surely is one of classes."""
_MISSING = 0.6
"""The share of the rows without a value of a column to predict is lower than this."""
_WORDS_OF_A_TEXT = 4
"""With fewer words on average, a text that each row has another of is rather the row's name."""
_FEWEST_NUMBERS = 4
_FEWEST_PAIRS, _ROUNDED = 30, 1.05
"""So many different pairs of numbers at least, and at most so many times as many as there are different numbers: they
may be rounded."""
_TIMES = 2
"""Values must occur at least so often, on average, to tell that they go with those of another column."""


def otherwise_of(others: Sequence[Profile]) -> str:
    """A task that predicts a column which is neither tokens nor named like something to predict; empty without one.

    Columns of classes come first: what a text is about is asked more often than one of the numbers beside it. Numbers
    of few values, such as ratings from 1 to 5, come last, and of these the last column, where a target usually stands.
    """
    for one in sorted(others, key=lambda one: not is_rather_a_class(one)):
        if is_rather_a_class(one):
            return f"{{kind: classification, target: {quoted(one.name)}}}"
        if one.holds == "numbers" and one.n_different > 10:
            return f"{{kind: regression, target: {quoted(one.name)}{'' if has_a_logarithm(one) else ', log: false'}}}"
    numbers = (one for one in others if one.holds == "numbers" and not (one.is_an_id or one.is_place_or_time))
    few = [one.name for one in numbers if one.n_different > 2 and not one.hardly_varies]
    return f"{{kind: classification, target: {quoted(few[-1])}}}" if few else ""


def is_rather_a_class(one: Profile) -> bool:
    """Whether a column could be what is to be predicted, though its name does not say so."""
    is_able = one.holds == "categories" and one.n_different < one.n / 5 and not one.hardly_varies
    return is_able and not one.named(*NO_CATEGORIES, *IDS)


def target_of(profiles: dict[str, Profile], has_lists: bool) -> Guess:
    """The column to predict, or none.

    Args:
        profiles: the columns that are no tokens for sure.
        has_lists: whether others are; then only a name says that something is to be predicted.
    """
    named = target_by_name(profiles)
    if named is not None:
        return named
    if has_lists or any(one.holds == "lists" or _says_something(one, profiles) for one in profiles.values()):
        name = None if has_lists else _beside_a_text(profiles)
        return Guess(name, f"{name} has two values, and texts are all else" if name else "")
    alone = _beside_numbers(profiles)
    if alone is not None:
        return Guess(alone, f"{alone} stands last, and all else are numbers")
    numbers = [one for one in _numbers(profiles) if not (one.named(*IDS) or one.is_an_id or one.is_place_or_time)]
    two = [one.name for one in _two_valued(profiles)]
    names = [one.name for one in reversed(numbers)]
    # the target usually stands last: elsewhere, a column of two texts is rather a feature than one of 0 and 1 is
    first_of_texts = [name for name in two if not profiles[name].is_whole and name != list(profiles)[-1]]
    able = [name for name in two if name not in first_of_texts] + names[:1] + first_of_texts + names[1:]
    if not able:
        return Guess(None, "")
    why = f"{able[0]} is the last column of numbers"
    if able[0] in two:
        why = f"{able[0]} stands at an end, and has two values"
    return Guess(able[0], why, "".join(able[1:2]))


def target_by_name(profiles: dict[str, Profile]) -> Guess | None:
    """The column to predict whose name says so; None if no name does."""
    numbers = _numbers(profiles)
    by_name = list(dict.fromkeys(one.name for hint in OF_NUMBERS for one in numbers if one.named(hint)))
    by_name.sort(key=lambda name: not profiles[name].named("total", "gesamt"))
    classes = [one.name for one in sorted(profiles.values(), key=_place_among_classes) if _has_a_name_of_classes(one)]
    if by_name and not (classes and profiles[by_name[0]].named("score", "rating", "value", "wert", "amount", "betrag")):
        others = [*by_name[1:2], *(name for name in classes if name != by_name[0])]  # `income` is a name of both
        why = f"{by_name[0]} is a number with a name of something to predict"
        return Guess(by_name[0], why, "".join(others[:1]))
    if classes:
        others = [*classes[1:2], *(name for name in by_name if name != classes[0])]
        why = f"{classes[0]} has {profiles[classes[0]].n_different} values, and a name of something to predict"
        return Guess(classes[0], why, "".join(others[:1]))
    return None


def _says_something(one: Profile, profiles: Mapping[str, Profile]) -> bool:
    """Whether a column holds texts that are more than the names of rows, in a table with columns of categories."""
    is_a_name = one.n_different == one.n and one.words < _WORDS_OF_A_TEXT
    return one.holds == "texts" and not (is_a_name and any(other.holds == "categories" for other in profiles.values()))


def _beside_a_text(profiles: Mapping[str, Profile]) -> str | None:
    """The column of two values in a table that has a column of texts and nothing else, but for ids."""
    able = [one for one in profiles.values() if one.holds not in ("row ids", "nothing")]
    if sorted(one.holds for one in able) != ["categories", "texts"]:
        return None
    one = next(one for one in able if one.holds == "categories")
    two = one.n_different == 2 and one.missing < _MISSING and not one.hardly_varies
    return one.name if two and not one.named(*OF_TRAITS, *NO_CATEGORIES, *IDS) else None


def _beside_numbers(profiles: Mapping[str, Profile]) -> str | None:
    """The last column of a table, if it has a few categories, and all else are numbers, several of them."""
    able = [one for one in profiles.values() if one.holds not in ("row ids", "nothing")]
    if len(able) <= _FEWEST_NUMBERS:
        return None
    *others, last = able
    are_numbers = all(_is_a_number(one) for one in others)
    few = 2 < last.n_different <= MOST_CODES_OF_CLASSES and not (last.missing or last.hardly_varies)
    return last.name if are_numbers and few and last.holds == "categories" else None


def _numbers(profiles: dict[str, Profile]) -> list[Profile]:
    """The columns of numbers that could be predicted."""
    return [one for one in profiles.values() if _is_a_number(one) and one.n_different > 10 and one.missing < _MISSING]


def _has_a_name_of_classes(one: Profile) -> bool:
    """Whether a column has a name of something to predict, and values of which each has rows enough."""
    if not one.named(*OF_CLASSES) or one.n_different < 2 or one.missing >= _MISSING or one.hardly_varies:
        return False
    if one.holds == "dates":
        return False  # when somebody left is known of those only who did
    few = one.n_different <= _MOST_CLASSES and one.n_different < one.n / 5
    return few or (one.named(*SURELY_CLASSES) and _has_rows_enough(one))


def _has_rows_enough(one: Profile) -> bool:
    """Whether each of many classes has so many rows that it can be learned."""
    return one.n_different * _ROWS_OF_A_CLASS <= one.n


def _two_valued(profiles: dict[str, Profile]) -> list[Profile]:
    """The last column and the first, if they have two values, as most of the others do not."""
    able = [one for one in profiles.values() if one.holds not in ("row ids", "nothing", "dates")]
    two = [one for one in able if one.n_different == 2 and one.holds in ("categories", "numbers")]
    if len(able) < 2 or 2 * len(two) > len(able) + 1:  # more than half of the others
        return []
    ends = dict.fromkeys((able[-1], able[0]))
    two = [one for one in two if one.missing < _MISSING and not one.hardly_varies]
    two = [one for one in two if not (one.named(*OF_TRAITS) or one.is_place_or_time)]
    return [one for one in ends if one in two]


def _place_among_classes(one: Profile) -> int:
    """The place of the first word in a column's name that tells of something to predict."""
    return next((i for i, hint in enumerate(OF_CLASSES) if one.named(hint)), len(OF_CLASSES))


def unlike(columns: Sequence[str], profiles: Mapping[str, Profile]) -> Guess:
    """The column at an end of a wide table that is no mark as the others are, but a code or one of two texts."""
    for name in (columns[-1], columns[0]):
        one = profiles.get(name)
        if one is None or one.missing or one.hardly_varies:
            continue
        if (one.is_whole and 2 < one.n_different <= MOST_CODES_OF_CLASSES) or one.is_one_of_two_texts:
            return Guess(name, f"{name} stands at an end, and has {one.n_different} values unlike the others")
    return Guess(None, "")


def has_a_logarithm(one: Profile) -> bool:
    """Whether a column to predict varies by factors: its numbers are above 0, and the highest is far above the lowest.

    A year or a latitude varies by differences, and so does what lies as far below its middle as above it, or farther,
    such as a percentage; but not money.
    """
    return one.is_positive and one.high > _FACTOR * one.low and (one.leans or one.named(*OF_MONEY))


def is_a_class(one: Profile) -> bool:
    """Whether the values of a column to predict are classes, and no numbers."""
    if one.n_different == 2:
        return True
    if one.is_whole:
        is_surely = one.named(*SURELY_CLASSES) and (one.n_different <= _MOST_CLASSES or _has_rows_enough(one))
        return is_surely or (one.n_different <= MOST_CODES_OF_CLASSES and one.named(*OF_CLASSES))
    return one.holds in ("categories", "ids")


def _is_a_number(one: Profile) -> bool:
    return one.holds == "numbers" or (one.holds == "ids" and one.is_whole)


def gives_away(one: Profile, target: str) -> bool:
    """Whether a column seems to be made from the target: the target's name is a part of its own."""
    stem = target.lower().strip("_ ")
    return len(stem) > 3 and (stem in one.name.lower() or one.named("revenue", "umsatz", "estimated"))


def says_the_same(values: pl.Series, answers: pl.Series, one: Profile, target: Profile) -> bool:
    """Whether a column is the target in other words, such as `alive` beside `survived`, or in another unit.

    Each value then goes with a single one of the target's; and the other way round, unless the target has classes. Of
    values that occur once, all do: of these, only numbers tell something.
    """
    rows = pl.DataFrame({"one": values, "other": answers})
    rows = rows.filter(is_there(name, dtype) for name, dtype in rows.schema.items())
    pairs = rows.unique()
    is_known = rows.height >= _TIMES * pairs.height and pairs.height > 1
    if is_known and rows["one"].n_unique() == pairs.height:
        is_the_same = rows["other"].n_unique() == pairs.height
        if is_the_same or (is_a_class(target) and _are_surely_of_a_class(rows, pairs.height)):
            return True
    able = _is_a_number(one) and _is_a_number(target) and not (one.is_place_or_time or target.is_place_or_time)
    return able and _move_together(as_numbers(pairs["one"], one.decimal), as_numbers(pairs["other"], target.decimal))


def _are_surely_of_a_class(rows: pl.DataFrame, n_values: int) -> bool:
    """Whether values that go with one class each, and each of several classes, occur too often for chance."""
    fewest = rows["other"].value_counts(name="n")["n"].to_list()
    return len(fewest) > 1 and min(rows.height / n_values, *fewest) >= _ROWS_OF_A_CLASS


def _move_together(one: pl.Series, other: pl.Series) -> bool:
    """Whether a number rises, or falls, wherever another one does, as the logarithm of it would, or a multiple.

    Of numbers that have nothing to do with each other, not even 30 do. (A year is not asked: much rises with it.)
    """
    pairs = pl.DataFrame({"one": one, "other": other}).drop_nulls().unique()
    fewest = min(pairs["one"].n_unique(), pairs["other"].n_unique())
    if fewest < _FEWEST_PAIRS or pairs.height > _ROUNDED * fewest:
        return False
    rises = pairs.sort("one", "other")["other"].diff().drop_nulls()
    falls = pairs.sort("one", "other", descending=[False, True])["other"].diff().drop_nulls()
    return bool((rises >= 0).all() or (falls <= 0).all())


def as_numbers(column: pl.Series, decimal: Decimal) -> pl.Series:
    """The numbers of a column; null where there are none."""
    numbers = numbers_of(column, decimal) if column.dtype == pl.String else column.cast(pl.Float64)
    return numbers.fill_nan(None)


def quoted(name: str) -> str:
    """The name of a column as YAML and expressions have it."""
    return name if name.isidentifier() else f'"{name}"'
