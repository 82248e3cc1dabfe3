import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipeline.network.lists import Lists
from pipeline.network.losses import softmax_loss
from pipeline.network.sampled_softmax import Negatives, NegativeSampler, among


def by_hand(
    hidden: torch.Tensor,
    table: torch.Tensor,
    bias: torch.Tensor,
    labels: np.ndarray,
    power: float,
    left_out: np.ndarray,
) -> torch.Tensor:
    """The formula as it stands in the docstring, with autograd's own gradients; a label counts what it weighs."""
    logits = hidden @ table.T + bias
    log_z = torch.logsumexp(logits.masked_fill(torch.from_numpy(left_out > 0), -torch.inf), dim=1)
    counted = torch.from_numpy(labels).double()
    n = counted.sum(dim=1)
    loss = torch.where(counted > 0, counted * (log_z[:, None] - logits), 0.0).sum(dim=1)
    weight = torch.where(n > 0, n, 1.0) ** -power
    return (loss * weight).sum() / (n * weight).sum()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0]), st.integers(1, 7), st.booleans(), st.booleans())
def test_loss_and_gradients_are_those_of_the_formula_in_blocks_of_any_size(
    seed: int, power: float, block: int, decoupled: bool, weighted: bool
) -> None:
    random = np.random.default_rng(seed)
    b, v, d = 6, 9, 3
    kind = random.choice([0, 1, 2], size=(b, v), p=[0.5, 0.3, 0.2])  # nothing, label, went in
    kind[:, 0], kind[0, 1] = 0, 1  # each list has a free token, and the first list has a label
    labels, left_out = (kind == 1).astype(np.float32), (kind >= 1 if decoupled else kind == 2).astype(np.float32)
    if weighted:
        labels *= random.uniform(0.01, 10, size=(b, v)).astype(np.float32)
    tensors = [torch.from_numpy(random.normal(size=size)) for size in ((b, d), (v, d), (v,))]
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in tensors] for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.network.losses.LOSS_BLOCK_BYTES", 4 * v * block)
        loss = softmax_loss(*ours, lists(labels), power, lists(left_out))
    expected = by_hand(*theirs, labels, power, left_out)  # type: ignore[call-arg]
    assert loss.item() == pytest.approx(expected.item())
    (3 * loss).backward()
    (3 * expected).backward()
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, its.grad)


def lists(matrix: np.ndarray) -> Lists:
    return Lists.of(sparse.csr_matrix(matrix))


def test_a_list_of_the_whole_vocabulary_has_nothing_to_compete_with() -> None:
    whole = lists(np.ones((1, 3), np.float32))
    tensors = [torch.zeros(1, 2), torch.ones(3, 2), torch.zeros(3)]
    for tensor in tensors:
        tensor.requires_grad_()
    loss = softmax_loss(*tensors, whole, 0.5, whole)
    loss.backward()
    assert loss.item() == 0
    assert all(torch.isfinite(tensor.grad).all() for tensor in tensors)  # type: ignore[arg-type]


def test_a_token_that_is_left_out_may_be_ever_so_likely() -> None:
    """Logits 200 (left out), 0 and 0: the label has probability 1/2, and the token left out has no part in it."""
    hidden, table = torch.ones(1, 1, requires_grad=True), torch.tensor([[200.0], [0.0], [0.0]])
    label, left_out = (lists(np.array([row], np.float32)) for row in ([0, 1, 0], [1, 0, 0]))
    loss = softmax_loss(hidden, table, torch.zeros(3), label, 1.0, left_out)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(np.log(2))
    assert hidden.grad is not None
    assert hidden.grad.item() == 0


def test_sampled_negatives_estimate_the_whole_softmax_without_bias() -> None:
    """Over many draws the mean of Z is the full Z, and tokens that are left out are left out of a sample too."""
    random = np.random.default_rng(0)
    hidden, table, bias = (torch.from_numpy(random.normal(size=size)) for size in ((1, 2), (40, 2), (40,)))
    labels, left_out = (lists((np.arange(40) < n).astype(np.float32)[None]) for n in (1, 10))
    logits = hidden @ table.T + bias
    z = float(logits[0, 10:].exp().sum())
    torch.manual_seed(0)
    drawn = []
    proposal = NegativeSampler(torch.from_numpy(random.integers(0, 20, 40)))
    for _ in range(4000):
        some = proposal.draw(20)
        loss = softmax_loss(hidden, table, bias, labels, 1.0, among(left_out, some.tokens, 40), some)
        drawn.append(float((loss + logits[0, 0]).exp()))
    assert np.mean(drawn) == pytest.approx(z, rel=4 * np.std(drawn) / z / 4000**0.5)
    every = Negatives(torch.arange(40), torch.zeros(40))
    assert softmax_loss(hidden, table, bias, labels, 1.0, left_out, every) == pytest.approx(
        float(np.log(z) - logits[0, 0])
    )


def test_softmax_loss_by_hand() -> None:
    """Two examples over two tokens, logits (0, 0) and (log 3, 0): p = 1/2, and 3/4 for token 0.

    Labels: tokens 0 and 1 of the first, token 0 of the second. With power 1 each example counts the same:
    (log 2 + log(4/3)) / 2. With power 0 each label does: (2 log 2 + log(4/3)) / 3.
    """
    hidden, table, bias = torch.tensor([[0.0], [float(np.log(3))]]), torch.tensor([[1.0], [0.0]]), torch.zeros(2)
    labels = Lists.of(sparse.csr_matrix(np.array([[1, 1], [1, 0]], np.float32)))
    assert float(softmax_loss(hidden, table, bias, labels, 1.0)) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)
    assert float(softmax_loss(hidden, table, bias, labels, 0.0)) == pytest.approx((2 * np.log(2) + np.log(4 / 3)) / 3)


def test_excluded_tokens_take_no_probability() -> None:
    """Three equal logits, one of them excluded: the label has probability 1/2."""
    label, left_out = (lists(np.array([row], np.float32)) for row in ([1, 0, 0], [0, 0, 1]))
    loss = softmax_loss(torch.zeros(1, 1), torch.zeros(3, 1), torch.zeros(3), label, 1.0, left_out)
    assert float(loss) == pytest.approx(np.log(2))
