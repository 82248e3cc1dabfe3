"""Softmax losses over a vocabulary, written so that a block of logits is made once and becomes its own gradient.

Letters: B examples in a batch, V vocabulary, D dimensions of the hidden layer.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import Tensor

from pipeline.network.lists import Lists
from pipeline.network.sampled_softmax import Negatives

LOSS_BLOCK_BYTES = 64 * 2**20
"""Most bytes of logits in a block of examples."""
NARROW = 64
"""Dimensions of a table below which a transposed copy of it speeds up a product."""
FARTHEST = 80.0
"""Logits must lie less than this below the number that none exceeds: exp(-80) is still a normal 32-bit number."""
SAMPLED_LOSS_BLOCK_BYTES = 4 * 2**20
"""Most bytes of logits in a block where tokens are drawn: the block stays in a core's cache."""
LOSS_BLOCK_BYTES_ON_GPU = 512 * 2**20
"""Most bytes of logits in a block on a GPU: it waits for the processor to say what to do more than for its memory."""


def softmax_loss(
    hidden: Tensor,
    table: Tensor,
    bias: Tensor,
    labels: Lists,
    power: float,
    excluded: Lists | None = None,
    drawn: Negatives | None = None,
) -> Tensor:
    """Mean softmax cross entropy of a label in the batch; an example with n labels has the weight n^(1 - power).

        sum_i n_i^-power sum_j (log Z_i - s_ij) / sum_i n_i^(1 - power),     s = h T^T + b,     Z_i = sum_k exp s_ik

    Args:
        hidden: h (B, D).
        table: T (V, D).
        bias: b (V,).
        labels: B lists; a label counts as often as its weight says, also in n.
        power: an example's loss is divided by its number of labels to this power: 1 gives all examples the same
            weight, 0 all labels.
        excluded: B lists of tokens that Z leaves out; where tokens are drawn, of places among them. A token that went
            in cannot be predicted. Where the labels are left out too, each label competes only with the tokens outside
            the list, not with the other labels (decoupled contrastive loss: Yeh et al., 2022, arXiv:2110.06848).
        drawn: the tokens that Z sums over, with the number of tokens that each stands for. None: all V.
    """
    count = labels.totals(hidden.dtype)  # (B,)
    weight = torch.where(count > 0, count, 1.0) ** -power  # (B,)
    total = (count * weight).sum().clamp(min=torch.finfo(hidden.dtype).tiny)
    of_labels = labels.sum(table)  # (B, D)
    of_bias = labels.sum(bias[:, None]).squeeze(1)  # (B,)
    scores = (hidden * of_labels).sum(dim=1) + of_bias  # (B,) the sum of the labels' logits
    if drawn is not None:
        table, bias = F.embedding(drawn.tokens, table), bias[drawn.tokens] + drawn.log_weight.to(bias.dtype)
    block = LOSS_BLOCK_BYTES if drawn is None else SAMPLED_LOSS_BLOCK_BYTES
    if hidden.device.type != "cpu":
        block = LOSS_BLOCK_BYTES_ON_GPU
    partition: Tensor = _LogPartition.apply(  # type: ignore[no-untyped-call]
        hidden, table, bias, excluded, count * weight / total, block
    )
    return partition - (scores * weight).sum() / total


class _LogPartition(torch.autograd.Function):
    """sum_i a_i log Z_i and its gradients in one go: autograd would keep four copies of the logits.

    With a safe shift, it passes over the matrix of logits four times, three of them in a matrix product: one more
    column in the factors of a product gives the sums over a row, or over a column, along with it.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, table: Tensor, bias: Tensor, excluded: Lists | None, a: Tensor, block_bytes: int
    ) -> Tensor:
        learns = any(ctx.needs_input_grad[:3])
        value, d_hidden = hidden.new_zeros(()), torch.zeros_like(hidden)
        d_outputs = hidden.new_zeros(hidden.shape[1] + 1, len(table))  # gradients of the table and the bias, transposed
        with_one = _with_one(table)  # (D + 1, V)
        shift = _safe_shift(hidden, table, bias)
        with_bias = torch.cat([table, (bias if shift is None else bias - shift)[:, None]], dim=1)  # (V, D + 1)
        lists = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1)  # (B, D + 1)
        block = max(1, block_bytes // (table.element_size() * max(len(table), 1)))
        logits = hidden.new_empty(min(block, len(hidden)), len(table))
        nothing = logits.new_full((), -torch.inf)  # made there: a GPU would be waited for to take a number from here
        for start in range(0, len(hidden), block):
            some = slice(start, min(start + block, len(hidden)))
            odds = torch.mm(lists[some], with_bias.T, out=logits[: some.stop - start])
            if excluded is not None:
                odds.index_put_(_within(excluded, some), nothing)
            most = shift
            if most is None:
                most = odds.amax(dim=1, keepdim=True)
                most = torch.where(torch.isinf(most), torch.zeros_like(most), most)  # where all tokens are left out
                odds.sub_(most)
            odds.exp_()  # (b, V)
            sums = (with_one @ odds.T).T  # (b, D + 1)
            total = sums[:, -1:]
            total = torch.where(total > 0, total, torch.ones_like(total))
            value += ((total.log() + most) * a[some, None]).sum()
            if learns:
                share = a[some, None] / total
                torch.mul(sums[:, :-1], share, out=d_hidden[some])
                d_outputs.addmm_(torch.cat([hidden[some] * share, share], dim=1).T, odds)
        ctx.save_for_backward(d_hidden, d_outputs)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (by,) = gradients
        d_hidden, d_outputs = ctx.saved_tensors
        return d_hidden * by, d_outputs[:-1].T * by, d_outputs[-1] * by, None, None, None


def _with_one(table: Tensor) -> Tensor:
    """(D + 1, V) the transposed table, and a row of ones below it.

    A product whose long side is summed over is up to three times as fast if the few rows lie in a row each; with many
    rows there is nothing to gain, and it would cost a copy.
    """
    if table.shape[1] < NARROW:
        return torch.cat([table.T, table.new_ones(1, len(table))])
    return torch.cat([table, table.new_ones(len(table), 1)], dim=1).T


def _safe_shift(hidden: Tensor, table: Tensor, bias: Tensor) -> Tensor | None:
    """A number that no logit exceeds; None if a logit may lie so far below it that its exponential vanishes.

    None on a GPU, too: to know it there, the processor would have to wait.
    """
    if hidden.device.type != "cpu":
        return None
    reach = torch.linalg.vector_norm(hidden, dim=1).max() * torch.linalg.vector_norm(table, dim=1).max()
    low, high = bias.aminmax()
    return reach + high if bool(2 * reach + high - low < FARTHEST) else None


def _within(lists: Lists, some: slice) -> tuple[Tensor, Tensor]:
    """For each token in the lists of `some`: its row, counted from the first of `some`, and the token."""
    offsets = lists.offsets if lists.host_offsets is None else lists.host_offsets
    low, high = (int(offsets[i]) if i < len(offsets) else len(lists.tokens) for i in (some.start, some.stop))
    return lists.rows[low:high] - some.start, lists.tokens[low:high]
