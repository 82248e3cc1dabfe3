"""Which columns are those of examples and of tokens, where each row is a pair of them."""

from itertools import permutations

import polars as pl

from pipeline.proposal.hints import AMOUNTS, IDS, OF_EDGES, OF_EXAMPLES, OF_TOKENS, OF_WEIGHTS
from pipeline.proposal.profile import Profile

_FEWEST_PER_EXAMPLE = 2.0
"""Mean number of rows of an example, at least, if rows of one id belong together."""
_FEWEST_DIFFERENT = 1.5
"""Mean number of different tokens of an example, at least."""
_COMPLETE = 0.9
"""If a larger share of all the pairs that could be is there, nothing is missing from the lists."""
_NARROW = 8
"""A table with more columns is rather about its rows than about who they belong to."""


def pair_of(
    frame: pl.DataFrame, profiles: dict[str, Profile], may_be_amounts: bool, needs_hints: bool = True
) -> tuple[str, str, str] | None:
    """The columns of examples and of tokens, if each row is a pair of them; and what else they could be.

    Args:
        frame: the first rows.
        profiles: of its columns.
        may_be_amounts: whether whole numbers may be amounts.
        needs_hints: whether names of columns, or ids in both, have to speak for it.
    """
    able = [one for one in profiles.values() if _may_be_a_pair(one)]
    have_names = sum(not one.is_whole for one in able)
    found: list[tuple[float, str, str]] = []
    for example, token in permutations(able, 2):
        rows_each, rows_of_token = frame.height / example.n_different, frame.height / token.n_different
        hinted = example.named(*OF_EXAMPLES) + token.named(*OF_TOKENS)
        if not needs_hints and token.name.lower() in OF_EDGES.get(example.name.lower(), ()):
            hinted = 2
        swapped = example.named(*OF_TOKENS) or token.named(*OF_EXAMPLES)
        if rows_each < _FEWEST_PER_EXAMPLE or rows_of_token < 1.2 or (swapped and not hinted):
            continue
        if _measures(example) and (example.missing or frame.width > _NARROW):
            continue
        are_alike = example.is_whole == token.is_whole
        are_ids = are_alike and all(_is_of_ids(one, may_be_amounts) for one in (example, token))
        if not hinted and not are_ids and (needs_hints or example.is_whole or token.is_whole):
            continue
        pairs = frame.select(pl.struct(example.name, token.name).n_unique()).item()
        different, is_number = pairs / frame.height, token.is_whole and not token.named(*OF_TOKENS, *IDS)
        if pairs < _FEWEST_DIFFERENT * example.n_different:
            continue
        if pairs > _COMPLETE * example.n_different * token.n_different:
            continue  # each example has each token, such as each person an answer to each question: none is missing
        # someone who buys may buy the same again, and so may ids beside which there is nothing else to learn; of other
        # columns, most rows are another pair
        may_be_a_buyer = example.named(*OF_EXAMPLES) or (not needs_hints and example.holds == "ids")
        is_a_buyer = may_be_a_buyer and not token.is_whole and frame.width <= _NARROW
        if not is_a_buyer and (different < 0.5 or (different < 0.9 and hinted < 2 and not token.named(*OF_TOKENS))):
            continue
        place = list(profiles).index(example.name) < list(profiles).index(token.name)
        amount = is_number and have_names > (not example.is_whole)  # something else has names
        found.append((3 * hinted + place + different - 2 * swapped - 2 * amount, example.name, token.name))
    if not found:
        return None
    found.sort(reverse=True)
    _, example_name, token_name = found[0]
    others = [f"example: {one}, columns: {other}" for _, one, other in found[1:2]]
    texts = [one for one in profiles.values() if one.holds == "texts" and one.n_different > 0.5 * frame.height]
    return None if texts and found[0][0] < 4 else (example_name, token_name, "".join(others))


def _may_be_a_pair(one: Profile) -> bool:
    """Whether a column can name examples or tokens that have a row each; an amount does not."""
    if one.missing >= 0.3 or one.n_different < 5:
        return False
    names_things = one.named(*OF_EXAMPLES, *OF_TOKENS)
    if one.is_whole and one.named(*AMOUNTS, *OF_WEIGHTS) and not names_things:
        return False
    return one.holds in ("ids", "categories") or (one.is_whole and one.holds == "numbers" and names_things)


def _measures(one: Profile) -> bool:
    """Whether a column's numbers may measure something, such as a blood pressure: its name does not say who or what."""
    return one.is_whole and not one.named(*OF_EXAMPLES, *IDS)


def _is_of_ids(one: Profile, may_be_amounts: bool) -> bool:
    """Whether the values of a column are ids, as far as its name does not say more; numbers among others seldom are."""
    return one.holds == "ids" and (not one.is_whole or not may_be_amounts or one.named(*IDS))
