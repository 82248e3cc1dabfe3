import numpy as np
import polars as pl
import pytest

from pipeline.pictures.colours import (
    OTHER,
    Groups,
    Numbers,
    coloured,
    colours,
    nearest,
    of_classes,
    ordered,
    telling,
)


def test_a_token_has_the_value_that_its_neighbours_share_and_not_the_first_by_the_alphabet() -> None:
    """Two clusters: in one all are science fiction too, in the other all are horror too; each has two values."""
    n = 40
    vectors = np.random.default_rng(0).normal(0, 0.05, (n, 3))
    vectors[: n // 2, 0] += 1
    vectors[n // 2 :, 1] += 1
    cells = ["Drama|Sci-Fi" if i % 2 else "Action|Sci-Fi" for i in range(n // 2)]
    cells += ["Drama|Horror" if i % 2 else "Action|Horror" for i in range(n // 2)]
    assert telling(cells, nearest(vectors)) == ["Sci-Fi"] * 20 + ["Horror"] * 20


def test_rare_values_share_a_colour_and_no_value_is_none_of_them() -> None:
    cells = [f"g{i}" for i in range(9) for _ in range(10 - i)] + [None, ""]
    values = telling(cells, np.empty((len(cells), 0), int))
    assert ordered(Groups("genre", values)) == [*(f"g{i}" for i in range(8)), OTHER]
    assert values[-2:] == [OTHER, OTHER]
    assert telling([None, None], np.empty((2, 0), int)) == [OTHER, OTHER]


def test_a_class_has_the_same_colour_whichever_classes_the_tokens_of_a_fit_speak_for() -> None:
    classes = [f"c{i}" for i in range(10)]  # the last two are rare
    one, other = (of_classes("kind", values, classes) for values in (["c0", "c1", "c9"], ["c9", "c8", "c7"]))
    assert ordered(one) == ordered(other) == [*classes[:8], OTHER]
    assert (one.values, other.values) == (["c0", "c1", OTHER], [OTHER, OTHER, "c7"])
    assert ordered(of_classes("kind", ["b"], ["b", "a"])) == ["a", "b"]


def test_a_category_has_the_same_colour_on_the_maps_of_all_fits() -> None:
    """Two fits that put the tokens elsewhere: by itself each would give other categories a colour."""
    random = np.random.default_rng(0)
    about = pl.DataFrame({"genre": ["|".join(random.choice([f"g{i}" for i in range(12)], 3)) for _ in range(60)]})
    one, other = random.normal(size=(2, 60, 3))
    assert coloured(about, one) != coloured(about, other)
    chosen = coloured(about, one)
    maps = [colours(about, np.ones(60), vectors, categories=chosen)[0] for vectors in (one, other)]
    legends = [ordered(groups) for groups in maps if isinstance(groups, Groups)]
    assert [[name for name in legend if name != OTHER] for legend in legends] == [chosen["genre"]] * 2


def test_nearest_are_those_with_the_smallest_angle() -> None:
    vectors = np.array([[1, 0], [5, 1], [0, 1], [0.1, 3]])
    assert nearest(vectors, 1).tolist() == [[1], [0], [3], [2]]
    assert nearest(vectors).shape == (4, 3)
    assert nearest(np.zeros((1, 2))).shape == (1, 0)


def test_a_column_of_many_numbers_has_a_scale_and_one_of_few_has_categories() -> None:
    n = 30
    about = pl.DataFrame(
        {"year": [str(1980 + i) if i else None for i in range(n)], "stars": [str(i % 3) for i in range(n)]}
    )
    year, stars, count = colours(about, np.arange(n, 0, -1), np.random.default_rng(0).normal(size=(n, 2)))
    assert isinstance(year, Numbers)
    assert (year.reach, year.ends, year.texts[0]) == ((1981, 2009), ("1981", "2009"), "not known")
    assert isinstance(stars, Groups)
    assert isinstance(count, Numbers)
    assert count.ends == ("1", "30")


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, np.nan]])
def test_signed_numbers_have_0_in_the_middle_of_their_colours(values: list[float]) -> None:
    signed = Numbers("effect", np.array([*values, *np.linspace(-0.1, 0.4, 50)]), "diverging", ["x"] * 52)
    low, high = signed.reach
    assert low == -high
    assert 0.3 < high < 0.4
    assert signed.ends == ("x", "≥ x")
    nothing = Numbers("effect", np.array(values), "diverging", ["x", "x"])
    assert nothing.reach == (-1e-9, 1e-9)
