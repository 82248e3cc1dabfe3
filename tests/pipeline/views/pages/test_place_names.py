import numpy as np
import polars as pl

from pipeline.views.pages.place_names import place_names, terms_of


def test_each_planted_cluster_is_named_by_what_is_typical_of_it() -> None:
    """Four clusters; half of each has its own value, and all have `Drama`, which is typical of none."""
    random, middles = np.random.default_rng(0), np.array([[0, 0], [9, 0], [0, 9], [9, 9]])
    points = np.concatenate([middle + random.normal(0, 0.5, (120, 2)) for middle in middles])
    own = ["War", "Horror", "Western", "Children"]
    terms = [["Drama", own[c]] if i % 2 else ["Drama"] for c in range(4) for i in range(120)]
    names = place_names(points, terms, seed=1)
    assert {place.name.split(" · ")[0] for place in names} == {*own}
    assert all(len({i // 120 for i in place.tokens}) == 1 and place.tokens == sorted(place.tokens) for place in names)
    for place in names:
        assert np.hypot(*(middles[own.index(place.name.split(" · ")[0])] - (place.x, place.y))) < 1


def test_few_tokens_or_no_terms_have_no_places() -> None:
    assert place_names(np.zeros((5, 2)), [["a"]] * 5, seed=1) == []
    assert place_names(np.random.default_rng(0).normal(size=(100, 2)), [[]] * 100, seed=1) == []


def test_terms_are_the_values_that_describe_a_token_or_the_words_of_its_label() -> None:
    about = pl.DataFrame({"genres": ["War|Drama", None], "year": ["1999", "2000"]})
    assert terms_of(about, ["x", "y"]) == [["War", "Drama"], []]
    assert terms_of(pl.DataFrame(), ["roof_style=gable 2", "Über-Haus"]) == [
        ["gable"],  # of a token with its column, the value
        ["über", "haus"],
    ]
