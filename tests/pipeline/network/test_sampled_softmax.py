import numpy as np
import pytest
import torch

from pipeline.network.sampled_softmax import NegativeSampler, RowWiseAdagrad, Touched


def test_a_draw_stands_for_the_whole_vocabulary_on_average() -> None:
    """On average, the weighted sum of a function over the drawn tokens is its sum over the vocabulary."""
    counts = torch.tensor([1000, 300, 100, 30, 10, 3, 1, 0])
    proposal, value = NegativeSampler(counts), torch.linspace(1, 5, 8)
    generator = torch.Generator().manual_seed(0)
    sums = []
    for _ in range(3000):
        drawn = proposal.draw(16, generator)
        assert (drawn.tokens.diff() > 0).all()
        sums.append(float((drawn.log_weight.exp() * value[drawn.tokens]).sum()))
    assert np.mean(sums) == pytest.approx(float(value.sum()), abs=4 * np.std(sums) / 3000**0.5)


def test_a_frequent_token_is_always_drawn_and_stands_for_itself() -> None:
    proposal = NegativeSampler(torch.tensor([999, 999, *[0] * 100]))
    for seed in range(20):
        drawn = proposal.draw(200, torch.Generator().manual_seed(seed))
        assert drawn.tokens[:2].tolist() == [0, 1]
        assert drawn.log_weight[:2].exp().tolist() == pytest.approx([1, 1], abs=0.03)


@pytest.mark.parametrize("size", [10, 1_000])
def test_touched_tokens_are_numbered_from_0_each_time(size: int) -> None:
    """Marked in a small vocabulary, sorted in a large one."""
    touched = Touched(size)
    for lists in ([[7, 2, 7], [9]], [[2], [1, 7]]):
        tokens, numbers = touched.number(*(torch.tensor(tokens) for tokens in lists))
        assert tokens.tolist() == sorted({token for tokens in lists for token in tokens})
        assert numbers[tokens].tolist() == list(range(len(tokens)))


def test_adagrad_by_row_by_hand() -> None:
    """Gradients (3, 4) and then (6, 8) of one row: mean squares 12.5 and 62.5; with decay 1 the row shrinks first."""
    table = torch.nn.Parameter(torch.tensor([[1.0, 1.0], [5.0, 5.0]]))
    optimiser = RowWiseAdagrad([table], lr=0.1, weight_decay=1.0)
    row = np.array([1.0, 1.0])
    for gradient, squares in ((np.array([3.0, 4.0]), 12.5), (np.array([6.0, 8.0]), 62.5)):
        row = row * (1 - 0.1) - 0.1 * gradient / squares**0.5
        table.grad = torch.sparse_coo_tensor(
            torch.tensor([[0]]), torch.from_numpy(gradient[None]).float(), (2, 2), check_invariants=True
        )
        optimiser.step()
    assert table[0].tolist() == pytest.approx(row.tolist())
    assert table[1].tolist() == [5.0, 5.0]


def test_a_row_that_a_gradient_names_twice_takes_one_step_with_their_sum() -> None:
    once, twice = (torch.nn.Parameter(torch.ones(3, 1)) for _ in range(2))
    once.grad = torch.sparse_coo_tensor(torch.tensor([[2]]), torch.tensor([[3.0]]), (3, 1), check_invariants=True)
    twice.grad = torch.sparse_coo_tensor(
        torch.tensor([[2, 2]]), torch.tensor([[1.0], [2.0]]), (3, 1), check_invariants=True
    )
    for table in (once, twice):
        RowWiseAdagrad([table], lr=0.5).step()
    assert once.tolist() == twice.tolist() == [[1.0], [1.0], [0.5]]
