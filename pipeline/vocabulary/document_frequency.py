"""In how many examples each token is, however many pairs a dataset has: they are sorted on disk."""

import numpy as np

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.out_of_core.csr_builder import CsrBuilder
from pipeline.records.pairs.pair_table import PairTable
from pipeline.records.splitting.assignment import Assignment, are_learned_from, learned_from


def document_frequency(table: PairTable, assignment: Assignment, conf: Dataset) -> Array:
    """(T,) the share of the examples that are learned from that have each token of the table."""
    counts = [np.zeros(0, np.int64)]
    size = table.tokens.height, max(len(table.ids), 1)
    with CsrBuilder(*size, n_parts=1, n_entries=len(table)) as builder:
        for block in learned_from(table, assignment, conf):
            builder.add(block.token, block.example, np.zeros(len(block.token), np.uint8))
        counts += [np.diff(bucket.indptr) for bucket in builder]
    return np.concatenate(counts) / max(int(are_learned_from(assignment, conf).sum()), 1)
