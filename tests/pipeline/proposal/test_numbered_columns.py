"""Columns whose names differ in a number only: places of one list, teams, and questions of a survey."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

RNG = random.Random(2)
PLAYERS = [f"Player {i}" for i in range(60)]
RED, BLUE = ([f"{team}_{i}" for i in range(1, 6)] for team in ("red", "blue"))


def teams(n: int) -> pl.DataFrame:
    return pl.DataFrame([RNG.sample(PLAYERS, 10) for _ in range(n)], schema=[*RED, *BLUE], orient="row")


@pytest.mark.parametrize(
    "answers", [["Agree", "Neutral", "Disagree"], ["AA", "AG", "GG"], [f"{i} hours" for i in range(25)]]
)
def test_answers_that_repeat_within_a_row_are_no_list(
    answers: list[str], propose: Callable[..., dict[str, Any]]
) -> None:
    names = [f"Q{i}" for i in range(1, 13)]
    rows = [[*RNG.choices(answers, k=12), RNG.gauss(50, 5)] for _ in range(600)]
    conf = propose("asked.csv", pl.DataFrame(rows, [*names, "crop"], orient="row").write_csv())
    assert conf["tokens"] == [{"kind": "value", "columns": names}]
    assert conf["task"]["target"] == "crop"


def test_questions_are_all_asked_however_many_they_are(propose: Callable[..., dict[str, Any]]) -> None:
    names = [f"marker {i}" for i in range(90)]
    others = [f"{first}{second}" for first in "abcde" for second in "fghijklmn"]
    rows = [[*RNG.choices(["AA", "AG", "GG"], k=135), RNG.gauss(50, 5)] for _ in range(200)]
    conf = propose("plants.csv", pl.DataFrame(rows, [*others, *names, "crop"], orient="row").write_csv())
    assert conf["tokens"] == [{"kind": "value", "columns": [*others[:40], *names]}]


def test_a_ballot_that_ranks_all_candidates_is_no_list(propose: Callable[..., dict[str, Any]]) -> None:
    names = [f"choice {i}" for i in range(1, 7)]
    rows = [RNG.sample(["Ann", "Bob", "Cid", "Dan", "Eve", "Fay"], 6) for _ in range(400)]
    conf = propose("votes.csv", pl.DataFrame(rows, names, orient="row").write_csv())
    assert conf["tokens"] == [{"kind": "value", "columns": names}]


def test_a_token_of_several_columns_counts_once_if_it_is_the_same_in_all(
    propose: Callable[..., dict[str, Any]],
) -> None:
    names = [f"good {i}" for i in range(1, 4)]
    rows = [RNG.sample([f"thing {letter}" for letter in "abcdefg"], 3) for _ in range(400)]
    conf = propose("few.csv", pl.DataFrame(rows, names, orient="row").write_csv())
    assert conf["tokens"] == [{"kind": "value", "columns": names, "qualified": False}]
    assert conf["dimensions"] == [2]  # of 7 tokens


@pytest.mark.parametrize("has_target", [True, False])
def test_teams_are_told_apart(has_target: bool, propose: Callable[..., dict[str, Any]]) -> None:
    frame = teams(400)
    if has_target:
        frame = frame.with_columns(red_win=pl.Series(RNG.choices([0, 1], k=400)))
    conf = propose("games.csv", frame.write_csv())
    assert conf["tokens"] == [
        {"kind": "value", "columns": RED, "qualified": "red"},
        {"kind": "value", "columns": BLUE, "qualified": "blue"},
    ]
    kind = {"kind": "classification", "target": "red_win"} if has_target else {"kind": "missing_tokens"}
    assert conf["task"] == kind
