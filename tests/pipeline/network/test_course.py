import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dataset import Dataset
from pipeline.embedding import Problem
from pipeline.errors import PipelineError
from pipeline.network.course import CourseNetwork
from pipeline.network.course_module import CourseModule, drawn_from
from pipeline.network.course_network import CourseNetwork as Network
from pipeline.network.lists import Lists
from tests.conftest import encoded_from, genre_of


@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_of_ten_tokens_of_a_list_three_go_in_and_seven_are_labels(lengths: list[int], seed: int) -> None:
    tokens = np.arange(sum(lengths))
    lists = Lists.after_each_other(tokens, np.array(lengths))
    torch.manual_seed(seed)
    inputs, labels = drawn_from(lists, 10, 0.3)
    seen = torch.cat([inputs.tokens, labels.tokens]).tolist()
    assert len(set(seen)) == len(seen)
    for i, length in enumerate(lengths):
        n = min(length, 10)
        n_in, n_labels = (int((part.rows == i).sum()) for part in (inputs, labels))
        assert n_in + n_labels == n
        assert n_in == (min(max(round(0.3 * n), 1), max(n - 1, 1)) if n else 0)
        own = set(range(sum(lengths[:i]), sum(lengths[: i + 1])))
        assert set(inputs.tokens[inputs.rows == i].tolist()) <= own


def test_tokens_are_drawn_in_proportion_to_what_they_weigh_and_then_count_the_same() -> None:
    """Of two tokens, with weights 3 and 1, one goes in: the first in three of four draws."""
    n = 4_000
    lists = Lists.after_each_other(np.tile([0, 1], n), np.full(n, 2), np.tile([3.0, 1.0], n))
    torch.manual_seed(0)
    inputs, labels = drawn_from(lists, 10, 0.3)
    assert inputs.weights is labels.weights is None
    assert abs(float((inputs.tokens == 0).double().mean()) - 0.75) < 0.03  # more than 4 standard errors


def test_its_loss_is_the_mean_over_the_labels_of_an_example_and_then_over_the_examples() -> None:
    """Two examples, one with one label and one with two: the means of minus the log shares, by hand."""
    torch.manual_seed(0)
    module = CourseModule(Network(torch.randn(3, 2), hidden=4, dropout=0.0), CourseNetwork(), 1).eval()
    inputs = Lists.after_each_other(np.array([0, 1]), np.array([1, 1]))
    labels = Lists.after_each_other(np.array([2, 0, 2]), np.array([1, 2]))
    shares = torch.log_softmax(module.network(inputs), dim=1)
    expected = -(shares[0, 2] + (shares[1, 0] + shares[1, 2]) / 2) / 2
    loss = module.loss({"inputs": inputs, "labels": labels})
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_learns_the_planted_genres_and_comes_back_from_its_weights(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    course = CourseNetwork(max_epochs=60).resolved(examples.n_training, len(vocabulary), (2,))
    problem = Problem(examples.training(), vocabulary, movies, 2, examples.held_out("validation"))
    fitted = course.fit(problem)
    rows = examples.held_out("test")
    assert movies.task.evaluate(fitted, rows)["ndcg_at_20"].mean() > 0.5
    near = [
        genre_of(found) == genre_of(token)
        for token in vocabulary.tokens["token"]
        for found in fitted.embedding.neighbours(token, k=5)["token"]
    ]
    assert np.mean(near) > 0.65  # by chance it is half
    again = CourseNetwork.restore(fitted.embedding, fitted.weights, movies)
    assert again.score(rows.inputs.csr(), rows.dense) == pytest.approx(fitted.score(rows.inputs.csr(), rows.dense))
    refitted = course.fit(Problem(examples.training(), vocabulary, movies, 2, chosen=fitted.chosen))
    assert (refitted.embedding.matrix == fitted.embedding.matrix).all()


def test_it_has_the_d_of_the_learned_embedding_and_refuses_what_does_not_fit() -> None:
    assert CourseNetwork().resolved(100, 50, (2, 8)).fitted_at() == (2, 8)
    assert CourseNetwork(dimensions=4).resolved(100, 50, (2, 8)).fitted_at() == (4,)
    with pytest.raises(PipelineError, match=r"a.yaml, baselines: course_network makes a logit .* V = 1,000,000"):
        CourseNetwork().require_room(10, 10**6, "a.yaml")


def test_the_defaults_are_those_that_are_told() -> None:
    small, large = (CourseNetwork().resolved(n, 50, (2,)) for n in (100, 100_000))
    told = {name: str(field.description) for name, field in CourseNetwork.model_fields.items()}
    assert (small.batch_size, small.max_epochs, large.max_epochs, small.patience) == (64, 100, 10, 10)
    assert "Default: 64." in told["batch_size"]
    assert "Default: 10, or as many as make 200 steps" in told["max_epochs"]
    assert "Default: 10." in told["patience"]
