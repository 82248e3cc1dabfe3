"""How many examples are scored at once."""

SCORING_BLOCK_BYTES = 64 * 2**20
"""Logits are computed in blocks of this size, or for LEAST_ROWS examples at a time if that is more."""
LEAST_ROWS = 64
"""With fewer rows, a product with the vectors of all tokens spends its time waiting for memory."""


def rows_at_once(n_tokens: int) -> int:
    """The number of examples whose logits (N, V), of 4 bytes each, are computed at once."""
    return max(LEAST_ROWS, SCORING_BLOCK_BYTES // (4 * n_tokens))
