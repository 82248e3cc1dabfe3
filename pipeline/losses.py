"""Softmax losses over a vocabulary, written so that a block of logits is made once and becomes its own gradient.

Letters: B examples in a batch, V vocabulary, D dimensions of the hidden layer.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import Tensor

from pipeline.batches import Lists

BLOCK_BYTES = 64 * 2**20
"""Logits are made in blocks of examples of this size."""


def softmax_loss(
    hidden: Tensor,
    table: Tensor,
    bias: Tensor,
    labels: Lists,
    power: float,
    excluded: Lists | None = None,
    negatives: int | None = None,
) -> Tensor:
    """Softmax cross entropy a label, over the batch; an example with n labels has the weight n^(1 - power).

        sum_i n_i^-power sum_j (log Z_i - s_ij) / sum_i n_i^(1 - power),     s = h T^T + b,     Z_i = sum_k exp s_ik

    Args:
        hidden: h (B, D).
        table: T (V, D).
        bias: b (V,).
        labels: B lists.
        power: of the number of labels that an example's loss is divided by: 1 gives each example the same weight, 0
            each label.
        excluded: B lists of tokens that Z leaves out. A token that went in cannot be drawn; and where the labels are
            left out too, each of them competes with the tokens outside the list only, not with the other labels
            (decoupled contrastive loss: Yeh et al., 2022, arXiv:2110.06848).
        negatives: draw so many tokens, the same ones for the whole batch, and let them stand for all in Z: each for
            V / negatives tokens (sampled softmax, with its logQ correction: Bengio and Senécal, 2008). None: all V.
    """
    count = torch.bincount(labels.rows, minlength=len(hidden)).to(hidden.dtype)  # (B,)
    weight = count.clamp(min=1) ** -power  # (B,)
    total = (count * weight).sum().clamp(min=torch.finfo(hidden.dtype).tiny)
    of_labels = F.embedding_bag(labels.tokens, table, labels.offsets, mode="sum")  # (B, D)
    of_bias = F.embedding_bag(labels.tokens, bias[:, None], labels.offsets, mode="sum").squeeze(1)  # (B,)
    scores = (hidden * of_labels).sum(dim=1) + of_bias  # (B,) the sum of the labels' logits
    if negatives is not None and negatives < len(table):
        drawn = torch.randperm(len(table))[:negatives]
        excluded = _among(excluded, drawn, len(table)) if excluded is not None else None
        table, bias = table[drawn], bias[drawn] + math.log(len(table) / negatives)
    partition: Tensor = _LogPartition.apply(  # type: ignore[no-untyped-call]
        hidden, table, bias, excluded, count * weight / total
    )
    return partition - (scores * weight).sum() / total


class _LogPartition(torch.autograd.Function):
    """sum_i a_i log Z_i and its gradients in one go: autograd would keep four copies of the logits."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, bias: Tensor, excluded: Lists | None, a: Tensor) -> Tensor:
        learns = any(ctx.needs_input_grad[:3])
        value = hidden.new_zeros(())
        d_hidden, d_table, d_bias = torch.zeros_like(hidden), torch.zeros_like(table), torch.zeros_like(bias)
        block = max(1, BLOCK_BYTES // (4 * max(len(table), 1)))
        for start in range(0, len(hidden), block):
            some = slice(start, min(start + block, len(hidden)))
            logits = torch.addmm(bias, hidden[some], table.T)  # (b, V)
            if excluded is not None:
                logits[_within(excluded, some)] = -torch.inf
            most = logits.amax(dim=1, keepdim=True)
            most = torch.where(torch.isinf(most), torch.zeros_like(most), most)  # all tokens are left out
            odds = logits.sub_(most).exp_()
            total = odds.sum(dim=1, keepdim=True)
            total = torch.where(total > 0, total, torch.ones_like(total))
            value += ((total.log() + most).squeeze(1) * a[some]).sum()
            if learns:
                gradient = odds.mul_(a[some, None] / total)  # (b, V)
                torch.mm(gradient, table, out=d_hidden[some])
                d_table.addmm_(gradient.T, hidden[some])
                d_bias += gradient.sum(dim=0)
        ctx.save_for_backward(d_hidden, d_table, d_bias)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (by,) = gradients
        d_hidden, d_table, d_bias = ctx.saved_tensors
        return d_hidden * by, d_table * by, d_bias * by, None, None


def _within(lists: Lists, some: slice) -> tuple[Tensor, Tensor]:
    """Rows, counted from the first of `some`, and tokens of these lists."""
    low, high = (
        int(lists.offsets[i]) if i < len(lists.offsets) else len(lists.tokens) for i in (some.start, some.stop)
    )
    return lists.rows[low:high] - some.start, lists.tokens[low:high]


def _among(lists: Lists, drawn: Tensor, size: int) -> Lists:
    """The lists without the tokens that were not drawn, the others by their place among the drawn ones."""
    place = torch.full((size,), -1)
    place[drawn] = torch.arange(len(drawn))
    found = place[lists.tokens]
    kept = lists.keep(found >= 0)
    return Lists(place[kept.tokens], kept.offsets, kept.rows)
