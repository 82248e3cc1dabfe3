import pytest

from assets.vocabulary_metadata import in_words
from pipeline.vocabulary.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"a": 3, "b": 2}, ": 2 keep their integers, 0 are new"),
        ({"a": 3, "b": 0, "c": 1}, ": 2 keep their integers, 1 is new, and 1 of the kept has no training example now"),
        (
            {"a": 0, "b": 0, "c": 1, "d": 1},
            ": 2 keep their integers, 2 are new, and 2 of the kept have no training example now",
        ),
    ],
)
def test_it_is_told_how_a_vocabulary_goes_on(counts: dict[str, int], said: str) -> None:
    before = Vocabulary.of({"a": 3, "b": 2})
    now = Vocabulary.of_frame(Vocabulary.of(counts).tokens.sort("token"))
    assert in_words(now, before) == said
    assert in_words(now, None) == ""
