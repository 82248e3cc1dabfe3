"""What the page of `make try` draws; in a browser it is tried in `test_other_tools.py`."""

import sys

import numpy as np
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pipeline.tasks.regression import Regression
from pipeline.views.try_it.prediction import _added, how_often_covered
from pipeline.views.try_it.recommendation import _sides


def test_each_bar_has_room_for_its_number_and_its_name() -> None:
    effects = pl.DataFrame({"label": ["castle", "ruin" * 20], "what it does": [0.11, -0.02]})
    figure = _added(effects, Regression(kind="regression", target="price", log=True))
    (bars,) = figure.data
    assert bars.text == ("-2.0%", "+11.0%")
    assert bars.textposition == "outside"
    low, high = figure.layout.xaxis.range
    assert low < -0.05
    assert high > 0.14
    assert figure.layout.yaxis.ticktext == ("ruin" * 6 + "rui…", "castle")


def test_names_of_near_points_stand_on_different_sides() -> None:
    near = np.array([[0.0, 0.0], [0.03, -0.01], [0.06, 0.0]])
    assert len(set(_sides(near, ["Alien", "Aliens", "The Terminator"], np.ones(2)))) == 3
    far = np.array([[0.0, 0.0], [0.5, 0.5]])
    assert _sides(far, ["Alien", "Aliens"], np.ones(2)) == ["bottom center", "bottom center"]


def test_fields_follow_each_other_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Streamlit puts the page in the place of the main module, which processes that start later would run
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    def page() -> None:
        from pipeline.views.try_it.prediction import _in_rows

        for name, place in _in_rows("abcde", 2):
            place.markdown(name)

    shown = AppTest.from_function(page).run()
    rows = [[column.markdown[0].value for column in shown.columns[i : i + 2] if column.markdown] for i in (0, 2, 4)]
    assert rows == [["a", "b"], ["c", "d"], ["e"]]


def test_beside_an_interval_stands_how_many_test_examples_such_intervals_have_covered() -> None:
    assert how_often_covered({"covered": 0.5, "covered_of": 1200}) == (
        "Of 1,200 test examples such intervals have covered 50%."
    )
    assert how_often_covered({"covered": 1.0, "covered_of": 1}).startswith("Of 1 test example such")
    assert how_often_covered({"covered": None, "covered_of": 0}) == ""
