"""The first tokens of rankings whose scores are products, found on a GPU.

Letters: B lists at a time, V vocabulary, E coordinates of a product, K first tokens.
"""

import numpy as np
import torch
from scipy import sparse

from pipeline.embedding import Factors
from pipeline.evaluation.product_ranking import First
from pipeline.evaluation.top import top

RANKING_BLOCK_BYTES_ON_GPU = 256 * 2**20
"""Most bytes of scores at once: less than a step of the training takes, so what was trained can be judged, too."""


@torch.inference_mode()
def first_on_gpu(factors: Factors, inputs: sparse.csr_matrix, k: int) -> First:
    """The K first tokens of lists (N, V), without those that went in; ties in token order, as on the processor.

    Args:
        factors: the products, and the device on which to make them.
        inputs: (N, V) the lists.
        k: K.
    """
    items = torch.from_numpy(factors.items).to(factors.device)  # (V, E)
    k = min(k, len(items))
    tokens, scores = np.empty((inputs.shape[0], k), np.int64), np.empty((inputs.shape[0], k), np.float32)
    at_once = max(1, RANKING_BLOCK_BYTES_ON_GPU // (4 * len(items)))
    for start in range(0, inputs.shape[0], at_once):
        some = slice(start, min(start + at_once, inputs.shape[0]))
        lists = inputs[some]
        made = torch.from_numpy(factors.queries(lists)).to(items.device) @ items.T  # (B, V)
        rows = np.repeat(np.arange(lists.shape[0]), np.diff(lists.indptr))
        made[torch.from_numpy(rows), torch.from_numpy(lists.indices.astype(np.int64))] = -torch.inf
        highest = top(made, k)  # (B, K)
        values, order = made.gather(1, highest).sort(dim=1, descending=True, stable=True)
        tokens[some] = torch.where(values.isinf(), -1, highest.gather(1, order)).cpu().numpy()
        scores[some] = values.cpu().numpy()
    return First(tokens, scores)
