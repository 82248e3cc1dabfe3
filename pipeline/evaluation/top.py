"""The places of the highest values of rows, where of equal ones the first counts.

PyTorch's `topk` takes any of equal values. Which they are then depends on its version and on the shape, and a baseline
that gives many tokens the same score would be judged by chance.
"""

import torch
from torch import Tensor


def top(values: Tensor, k: int) -> Tensor:
    """The places (N, k) of the k highest values (N, M) of each row, in ascending order; of equal ones the first.

    >>> top(torch.tensor([[0.0, 2.0, 1.0, 1.0, 1.0]]), 3).tolist()
    [[1, 2, 3]]
    """
    n, m = values.shape
    if k >= m:
        return torch.arange(m, device=values.device).expand(n, m)
    highest, places = values.topk(k + 1)
    least = highest[:, k - 1]
    found = places[:, :k].sort(dim=1).values
    tied = (least == highest[:, k]).nonzero()[:, 0]  # where one that is as high is left out
    if len(tied):
        some, least = values[tied], least[tied, None]
        equal, above = some == least, ~(some <= least)
        kept = above | (equal & (equal.cumsum(dim=1) <= k - above.sum(dim=1, keepdim=True)))
        found[tied] = kept.nonzero()[:, 1].view(len(tied), k)
    return found
