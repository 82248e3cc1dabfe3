from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.text import Annotation
from PIL import Image

from pipeline.embedding import Embedding
from pipeline.pictures import figures
from pipeline.pictures.colours import Groups, Numbers
from pipeline.pictures.figures import draw_losses, draw_map, draw_norms
from pipeline.pictures.names import LABELLED
from pipeline.vocabulary.vocabulary import Vocabulary


def ink(path: Path) -> float:
    """Share of the picture that is not white."""
    return float((np.asarray(Image.open(path).convert("L")) < 250).mean())


@pytest.mark.parametrize("dimension", [1, 2, 8])
def test_a_map_is_drawn_at_any_d_and_for_any_label(dimension: int, tmp_path: Path) -> None:
    labels = {"$x_1^": 9, "映画": 8, "a" * 500: 7, "two\nlines": 6} | {f"t{i}": 5 for i in range(50)}
    matrix = np.random.default_rng(0).normal(size=(len(labels), dimension)).astype(np.float32)
    draw_map(Embedding(Vocabulary.of(labels), matrix), "title", tmp_path / "map.png")
    assert 0.01 < ink(tmp_path / "map.png") < 0.5


@pytest.mark.parametrize("of_numbers", [False, True])
def test_long_names_of_what_colours_mean_leave_room_for_the_map(of_numbers: bool, tmp_path: Path) -> None:
    long, values = "what is written on the cover of a book " * 5, [0.0, 1.0, -1.0]
    colour = (
        Numbers(long, np.array(values), "diverging", [long] * 3)
        if of_numbers
        else Groups(long, ["short", long, f"another {long}"])
    )
    embedding = Embedding(Vocabulary.of({"a": 3, "b": 2, "c": 1}), np.eye(3, 2, dtype=np.float32))
    draw_map(embedding, "title", tmp_path / "map.png", colour)
    across = (np.asarray(Image.open(tmp_path / "map.png").convert("L")) < 250).any(axis=0)
    assert 0.01 < ink(tmp_path / "map.png") < 0.5
    assert not across[-5:].any()


def test_names_lie_within_the_map_as_it_is_saved_and_do_not_touch_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Axes] = []
    monkeypatch.setattr(figures, "_save", lambda axes, path: drawn.append(axes))
    labels = {f"{'a rather long name' if i % 2 else 'short'} {i}": 500 - i for i in range(250)}
    points = np.random.default_rng(0).normal(size=(250, 2)).astype(np.float32)
    points[:4, 0] = points[:, 0].max(), -points[:, 0].max(), 0, 0  # the most frequent at the ends
    draw_map(Embedding(Vocabulary.of(labels), points), "title", tmp_path / "map.png")
    drawn[0].figure.draw_without_rendering()  # what comes to lie elsewhere now would do so in a file
    names = [text for text in drawn[0].texts if isinstance(text, Annotation)]
    boxes = [name.get_window_extent().padded(2, 0) for name in names]
    assert len(boxes) == LABELLED
    assert all(drawn[0].bbox.x0 < box.x0 and box.x1 < drawn[0].bbox.x1 for box in boxes)
    assert not any(box.overlaps(other) for i, box in enumerate(boxes) for other in boxes[:i])


def test_tokens_that_all_lie_in_one_place_are_drawn(tmp_path: Path) -> None:
    draw_map(Embedding(Vocabulary.of({"a": 1, "b": 1}), np.zeros((2, 3), np.float32)), "title", tmp_path / "map.png")
    assert ink(tmp_path / "map.png") > 0


def test_lengths_are_drawn_whatever_the_counts(tmp_path: Path) -> None:
    for counts in ({"a": 1}, {"a": 1, "<unknown>": 0}, {f"t{i}": 1000 - i for i in range(999)}):
        matrix = np.random.default_rng(0).normal(size=(len(counts), 3)).astype(np.float32)
        draw_norms(Embedding(Vocabulary.of(counts), matrix), "title", tmp_path / "norms.png")
        assert ink(tmp_path / "norms.png") > 0


@pytest.mark.parametrize(("most", "scale"), [(99, "linear"), (100, "log")])
def test_counts_of_one_decade_stand_on_a_plain_axis(
    most: int, scale: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(figures, "_save", lambda axes, _: drawn.append(axes.get_xscale()))
    draw_norms(Embedding(Vocabulary.of({"a": most, "b": 10}), np.ones((2, 2), np.float32)), "title", tmp_path)
    assert drawn == [scale]


def test_losses_are_drawn_with_and_without_validation(tmp_path: Path) -> None:
    draw_losses({"train_loss": [3, 2, 1], "validation_loss": [3, 1, 2]}, "title", tmp_path / "both.png")
    draw_losses({"train_loss": [3, 2, 1]}, "title", tmp_path / "one.png")
    assert ink(tmp_path / "both.png") > ink(tmp_path / "one.png") > 0


def test_no_place_for_a_legend_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search takes long for many tokens, and on a busy machine: Matplotlib warned of it."""

    def looked_for(*_: object) -> None:
        raise AssertionError("a place is looked for")

    monkeypatch.setattr(Legend, "_find_best_position", looked_for)
    matrix = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    draw_norms(Embedding(Vocabulary.of({"a": 3, "b": 2, "c": 1}), matrix), "title", tmp_path / "norms.png")
    draw_losses({"train_loss": [3, 2, 1], "validation_loss": [3, 1, 2]}, "title", tmp_path / "losses.png", kept=2)
    assert min(ink(tmp_path / "norms.png"), ink(tmp_path / "losses.png")) > 0


@pytest.mark.parametrize(
    ("kept", "share", "said"),
    [(3, 1.0, "epoch 3"), (3, 0.125, "12.5% of the way to epoch 3"), (0, 1.0, "the start")],
)
def test_the_kept_epoch_is_marked_beside_the_lowest_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, share: float, said: str
) -> None:
    drawn = []
    monkeypatch.setattr(figures, "_save", lambda axes, path: drawn.append(axes.get_legend_handles_labels()[1]))
    losses = {"train_loss": [3.0, 2.0, 1.0], "validation_loss": [3.0, 1.0, 2.0]}
    draw_losses(losses, "title", tmp_path / "losses.png", kept, share)
    assert drawn == [["train loss", "validation loss", "lowest: epoch 2", f"kept: {said}"]]


def test_epochs_are_whole_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(figures, "_save", lambda axes, path: drawn.append(axes.get_xticks()))
    draw_losses({"train_loss": [3.0, 2.0, 1.5]}, "three epochs", tmp_path / "losses.png")
    assert all(float(tick).is_integer() for tick in drawn[0])
