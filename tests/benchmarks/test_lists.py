import polars as pl
import pytest

from benchmarks import lists
from benchmarks.lists import Questions, Shape, answered, drawn


def test_lists_have_their_length_and_each_token_once() -> None:
    frame = drawn(Shape(100, 6, 1000, 20), n=300)
    lengths = frame.group_by("list").len()["len"]
    assert frame["list"].n_unique() == 300
    assert frame.is_duplicated().sum() == 0
    assert lengths.mean() == pytest.approx(6, rel=0.1)


def test_each_person_gives_one_answer_to_each_question() -> None:
    frame = answered(Questions(5, 4, 3, 50)).with_columns(question=pl.col("token").str.split("=").list.first())
    assert frame.group_by("list", "question").len()["len"].to_list() == [1] * 250
    assert frame["token"].n_unique() <= 20


def test_every_method_is_judged_on_the_same_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "SHAPES", (Shape(40, 5, 20, 4, lists=400),))
    monkeypatch.setattr(lists, "QUESTIONS", (Questions(8, 8, 4, 300),))
    monkeypatch.setattr(lists, "SEEDS", (1,))
    found = lists.shapes()
    (head, row), (of_answers, answers) = found["tables"]
    assert len(head) == len(row)
    first, default, temperature, decay, cut, *others = row[5:]
    assert row[1] == "400"
    assert all(0.3 < float(value) < 1 for value in (first, default, *others))
    assert float(temperature) > 0.1
    assert float(decay) >= 0
    assert cut in ("0", "1")
    assert len(of_answers) == len(answers)
    assert answers[6] in ("0", "1")
    assert all(0.3 < float(value) < 1 for value in (*answers[4:6], *answers[7:]))
    assert "a quarter of the lists" in found["notes"][0]
