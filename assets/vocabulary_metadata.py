"""What the page of the vocabulary says, and what it says of a vocabulary that goes on from an earlier one."""

from typing import Any

from assets.metadata import SCHEMA, facts, schema_of, table_of
from pipeline.schemas import Tokens
from pipeline.vocabulary.vocabulary import Vocabulary, rule_of_thumb

NAMED = 20
"""So many tokens without an example are named."""


def of_vocabulary(vocabulary: Vocabulary, before: Vocabulary | None) -> dict[str, Any]:
    """Size, rule of thumb, fingerprint, the most frequent tokens, and what became of those of an earlier vocabulary."""
    top, gone = vocabulary.tokens[vocabulary.by_count[:10]], _without_examples(vocabulary, before)
    kept = {} if before is None else {"kept": len(before), "new": len(vocabulary) - len(before), "gone": len(gone)}
    named = [*gone[:NAMED], *(["..."] if len(gone) > NAMED else [])]
    return {
        "size V": len(vocabulary),
        SCHEMA: schema_of(Tokens),
        "most frequent": table_of(["token", "label", "count"], top.rows()),
        "facts": facts(
            {
                "fourth root of V": f"{rule_of_thumb(len(vocabulary)):.1f}",
                "occurrences": int(vocabulary.tokens["count"].sum()),
                "rarest count": int(vocabulary.tokens["count"].min()),  # type: ignore[arg-type]
                "fingerprint": vocabulary.fingerprint,
                **{_IN_WORDS[name]: n for name, n in kept.items()},
            }
        ),
        **({"without a training example": ", ".join(named)} if named else {}),
    }


_IN_WORDS = {
    "kept": "kept: tokens with the integers of the last time",
    "new": "new: tokens behind them",
    "gone": "of the kept, without a training example now",
}


def in_words(vocabulary: Vocabulary, before: Vocabulary | None, last: Vocabulary | None = None) -> str:
    """How a vocabulary goes on from an earlier one, as the end of a sentence; nothing if there is none.

    Args:
        vocabulary: the new one.
        before: the earlier one whose tokens keep their integers.
        last: the one of the last time, which people may have built on, whether its tokens keep theirs or not.
    """
    if before is None:
        known = [] if last is None else last.tokens["token"].to_list()
        is_same = known == vocabulary.tokens["token"].head(len(known)).to_list()
        return "" if is_same else ". It begins anew: tokens have other integers than the last time"
    gone, new = len(_without_examples(vocabulary, before)), len(vocabulary) - len(before)
    said = f": {len(before):,} keep their integers, {new:,} {'is' if new == 1 else 'are'} new"
    have = "has" if gone == 1 else "have"
    return said + (f", and {gone:,} of the kept {have} no training example now" if gone else "")


def _without_examples(vocabulary: Vocabulary, before: Vocabulary | None) -> list[str]:
    """The labels of the tokens that are kept though no training example has them any more."""
    known = vocabulary.tokens.head(0 if before is None else len(before))  # they come first
    return known.filter(known["count"] == 0)["label"].to_list()
