from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.errors import PipelineError
from pipeline.records.pairs.cuts import Cuts, at_rank, cut, histogram, last_times

INFINITY = float("inf")
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, 2.0])


@given(st.lists(numbers, min_size=1), st.data())
def test_a_time_is_found_by_its_rank_as_if_all_were_sorted(values: list[float], data: Any) -> None:
    times, rank = np.array(values), data.draw(st.integers(0, len(values) - 1))
    time = np.sort(times)[rank]
    found = at_rank(rank, lambda above, shift: histogram(times, above, shift))
    assert found == (time, (times < time).sum(), (times <= time).sum())


@pytest.fixture
def parts(minimal: dict[str, Any], write_conf: Callable[..., Path]) -> Callable[..., list[int]]:
    """The part of each time, by shares."""
    conf: Dataset = load(write_conf("some", {**minimal, "split": {"time": "at"}}))

    def make(values: list[float], validation: float = 0.1, test: float = 0.2) -> list[int]:
        asked = conf.model_copy(update={"split": Split(time="at", validation=validation, test=test)})
        times = np.array(values, float)
        cuts = cut(len(times), lambda above, shift: histogram(times, above, shift), asked)
        return cuts.parts(times).tolist()

    return make


def test_shares_are_those_of_different_times(parts: Callable[..., list[int]]) -> None:
    assert parts(list(range(10))) == [0] * 7 + [1] + [2] * 2
    assert parts(list(range(10, 0, -1))) == [2] * 2 + [1] + [0] * 7
    assert parts(list(range(10)), validation=0) == [0] * 8 + [2] * 2
    assert parts(list(range(10)), test=0) == [0] * 9 + [1]
    assert parts(list(range(10)), 0, 0) == [0] * 10


def test_the_same_time_is_never_divided(parts: Callable[..., list[int]]) -> None:
    """Of the last year's homes a fifth cannot be held out; nor a tenth, but each part gets a year."""
    years = [2006] * 40 + [2007] * 30 + [2008] * 30
    assert parts(years) == [0] * 40 + [1] * 30 + [2] * 30
    assert parts([1, 2, 2, 2, 2, 2, 2, 2, 2, 3]) == [0] + [1] * 8 + [2]


@pytest.mark.parametrize("values", [[], [1.0] * 9, [1.0] * 9 + [2.0]])
def test_too_few_different_times_are_refused(parts: Callable[..., list[int]], values: list[float]) -> None:
    with pytest.raises(PipelineError, match=r"some.yaml, split.time: 'at' has too few different times"):
        parts(values)


def test_the_last_two_times_of_an_example_divide_it() -> None:
    times = [3.0, 1.0, 2.0, 2.0, 5.0, 5.0, 4.0, 9.0, 8.0, 7.0, 6.0]
    found = last_times(np.array([0, 4, 7, 7, 11]), np.array(times))
    assert [moments.tolist() for moments in found] == [[1, INFINITY, INFINITY, 7], [2, INFINITY, INFINITY, 8]]
    example = np.repeat(np.arange(4), [4, 3, 0, 4])
    assert found.parts(np.array(times), example).tolist() == [2, 0, 1, 1, 0, 0, 0, 2, 1, 0, 0]


def test_nothing_comes_after_an_infinite_moment() -> None:
    assert Cuts(np.array(INFINITY), np.array(INFINITY)).parts(np.array([1e308])).tolist() == [0]
