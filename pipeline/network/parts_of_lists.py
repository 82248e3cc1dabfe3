"""Which part of a training list goes in, and what is predicted: a share, one of two parts, or what came next in it.

Letters: B lists, T tokens of all of them, S samples.
"""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.examples.example_set import SparseRows
from pipeline.network.lists import Lists

MOST_TOKENS, MOST_LOGITS = 1e5, 1.3e7
"""Tokens that go into a step which learns what came next, at most, and logits that it makes; but each list gives one
sample at least."""
LATEST = 200
"""How many times before what is predicted go in: of longer lists the first would hardly count, and take memory."""


def share_of(lists: Lists, low: float, high: float) -> Tensor:
    """Mark (T,) a random share of each list, between low and high; the first token where no token was drawn."""
    share = low + (high - low) * torch.rand(len(lists.offsets))
    kept = torch.rand(len(lists.tokens)) < share[lists.rows]
    nothing = torch.bincount(lists.rows[kept], minlength=len(lists.offsets)) == 0
    lengths = torch.bincount(lists.rows, minlength=len(lists.offsets))
    kept[lists.offsets[nothing & (lengths > 0)]] = True
    return kept


class Samples(NamedTuple):
    """What goes in, and what is predicted from it."""

    inputs: Lists  # S lists; where they have an order: what came before, with its ages below LATEST
    labels: Lists  # S lists; where they have an order: what came next, all at the same time


def parts_of_each_other(lists: Lists) -> Samples:
    """Each list is cut in two at random, and each part predicts the other: 2 B samples, first those of first parts."""
    kept = share_of(lists, 0.0, 1.0)
    first, second = lists.keep(kept), lists.keep(~kept)
    return Samples(first.followed_by(second), second.followed_by(first))


def samples_a_list(rows: SparseRows, batch_size: int) -> float:
    """How many samples of a list are taken, on average at most: of long lists so many that a step stays short."""
    n = min(batch_size, len(rows))
    tokens, logits = n * float(rows.lengths.mean()) / 2, n * rows.size
    return max(1.0, min(MOST_TOKENS / max(tokens, 1), MOST_LOGITS / max(logits, 1)))


def what_came_next(lists: Lists, most: float) -> Samples:
    """For each list with an order, what came next at each of its times after the first; of many times, at a few.

    Args:
        lists: with ages.
        most: how many times of a list are taken, on average at most.
    """
    assert lists.ages is not None
    n = len(lists.offsets)
    lengths = torch.bincount(lists.rows, minlength=n)
    cuts = torch.zeros(n, dtype=torch.int64).scatter_reduce(0, lists.rows, lists.ages, "amax")  # (B,) times but one
    of = torch.repeat_interleave(torch.arange(n), cuts)  # (S,) the list of each sample
    age = _counted(cuts)  # (S,) of what is predicted
    if len(of) and bool(cuts.max() > most):
        kept = torch.rand(len(of)) * cuts[of] < most
        of, age = of[kept], age[kept]
    sample = torch.repeat_interleave(torch.arange(len(of)), lengths[of])
    at = lists.offsets[of][sample] + _counted(lengths[of])
    left = lists.ages[at] - age[sample]  # above 0 for what came before, 0 for what came next
    before, is_next = (left > 0) & (left <= LATEST), left == 0
    inputs = replace(_some(lists.tokens[at], sample, before, len(of)), ages=left[before] - 1)
    return Samples(inputs, _some(lists.tokens[at], sample, is_next, len(of)))


def _counted(lengths: Tensor) -> Tensor:
    """0, 1, 2, ... within each of several lists of these lengths."""
    return torch.arange(int(lengths.sum())) - torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)


def _some(tokens: Tensor, rows: Tensor, kept: Tensor, n: int) -> Lists:
    """N lists of the tokens that are marked."""
    lengths = torch.bincount(rows[kept], minlength=n)
    return Lists(tokens[kept], lengths.cumsum(0) - lengths, rows[kept])
