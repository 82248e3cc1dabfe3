import pytest

from benchmarks import lists
from benchmarks.lists import Shape, drawn


def test_lists_have_their_length_and_each_token_once() -> None:
    frame = drawn(Shape(100, 6, 1000, 20), n=300)
    lengths = frame.group_by("list").len()["len"]
    assert frame["list"].n_unique() == 300
    assert frame.is_duplicated().sum() == 0
    assert lengths.mean() == pytest.approx(6, rel=0.1)


def test_every_method_is_judged_on_the_same_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "SHAPES", (Shape(40, 5, 20, 4, lists=400),))
    monkeypatch.setattr(lists, "SEEDS", (1,))
    found = lists.shapes()
    (head, row), (note,) = found["tables"][0], found["notes"]
    assert len(head) == len(row)
    first, default, temperature, decay, *others = row[5:]
    assert row[1] == "400"
    assert all(0.3 < float(value) < 1 for value in (first, default, *others))
    assert float(temperature) > 0.1
    assert float(decay) >= 0
    assert "a quarter of the lists" in note
