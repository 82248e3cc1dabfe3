import numpy as np
import pytest

from benchmarks import order
from benchmarks.order import GROUPS, LONGEST, SHAPES, SHORTEST, drawn


@pytest.mark.parametrize("shape", SHAPES)
def test_lists_have_their_lengths_and_each_token_once(shape: str) -> None:
    lists = drawn(shape, n=60)["tokens"]
    assert lists.list.len().min() >= SHORTEST
    assert lists.list.len().max() <= LONGEST
    assert (lists.list.n_unique() == lists.list.len()).all()


@pytest.mark.parametrize(
    ("shape", "stays", "is_before"),
    [("groups lead to groups", False, False), ("taste drifts", True, False), ("in any order", True, True)],
)
def test_what_comes_next_is_what_the_shape_says(shape: str, stays: bool, is_before: bool) -> None:
    """Whether a group follows itself often, and whether it is as often there before another as after it."""
    groups = [[int(token[1:]) % GROUPS for token in one] for one in drawn(shape, n=200)["tokens"]]
    count = np.zeros((GROUPS, GROUPS))
    for one in groups:
        np.add.at(count, (one[:-1], one[1:]), 1)
    assert (np.trace(count) / count.sum() > 0.2) == stays
    apart = count - np.diag(np.diag(count))
    assert (np.corrcoef(apart.ravel(), apart.T.ravel())[0, 1] > 0.5) == is_before


def test_the_same_lists_are_learned_with_their_order_and_as_bags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "SHAPES", {"a few places on": order.ring})
    monkeypatch.setattr(order, "LISTS", 500)
    monkeypatch.setattr(order, "CONF", order.CONF + "training: {temperature: 0.15, max_epochs: 15}\n")
    monkeypatch.setattr(order, "SEEDS", (1,))
    monkeypatch.setattr(order, "DIMENSIONS", (4,))
    found = order.shapes()
    (head, row), (note,) = found["tables"][0], found["notes"]
    assert len(head) == len(row)
    ours, chosen, bags, *others = row[2:]
    assert chosen == "1 of 1"
    assert float(ours) > 0.5 > float(bags) > 0
    assert all(0 < float(value) < 0.5 for value in others)
    assert "of the last token of 500 lists" in note
