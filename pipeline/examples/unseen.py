"""Records that no vocabulary was counted from -> examples over a vocabulary that is known, and what is not in it."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.examples.recency import counted
from pipeline.examples.weight_scale import WeightScale
from pipeline.records.pairs.builder import unlabelled
from pipeline.records.pairs.pair_table import NO_RECORD, PairTable
from pipeline.records.pairs.used_records import with_example
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Unseen:
    """Examples of N lists over V tokens, in the order in which they come."""

    ids: pl.Series  # (N,) the id of each example
    inputs: sparse.csr_matrix  # (N, V)
    dense: Array  # (N, F)
    unknown: list[list[str]]  # (N,) the tokens of each that have no place of their own

    def take(self, some: Array) -> "Unseen":
        """The chosen examples."""
        unknown = [self.unknown[i] for i in some]
        return Unseen(self.ids.gather(some), self.inputs[some], self.dense[some], unknown)


def without_answers(conf: Dataset) -> Dataset:
    """Settings to read records without answers and splits; columns that only describe tokens may be missing."""
    return conf.undescribed().model_copy(update={"task": conf.task.unanswered(), "split": Split()})


def unseen(
    records: pl.LazyFrame, vocabulary: Vocabulary, conf: Dataset, scale: WeightScale, decay: float = 1.0
) -> Unseen:
    """Encode records.

    Args:
        records: with all the columns that conf names for what goes in.
        vocabulary: known already.
        conf: settings that `without_answers` gave; a `split.time` in them says in which order tokens came, which is
            otherwise that of the records.
        scale: that of the examples that were learned from, so that an example is the same whatever else is in its file.
        decay: what the tokens of each time of an example count of what those of the next one do.

    Raises:
        PipelineError: the rows of one example disagree in a dense feature.
    """
    table = unlabelled(records, conf, only_read=True)
    numbers = np.flatnonzero(np.isfinite(table.first) if conf.split.by_time else table.first != NO_RECORD)
    row = np.full(len(table.first), -1, np.int64)
    row[numbers] = np.arange(len(numbers))
    ids = table.ids.gather(numbers)
    inputs, unknown = _encoded(table, row, len(numbers), vocabulary, scale, decay)
    beside = conf.task.beside(with_example(records, conf), ids, conf.file)
    return Unseen(ids, inputs, beside.dense, unknown)


def _encoded(
    table: PairTable, row: Array, n: int, vocabulary: Vocabulary, scale: WeightScale, decay: float
) -> tuple[sparse.csr_matrix, list[list[str]]]:
    index = vocabulary.find(table.tokens["token"])
    example, token = row[np.asarray(table.example)], np.asarray(table.token)
    is_unknown = index[token] < 0
    place = np.where(is_unknown, vocabulary.unknown, index[token])
    known, v = place >= 0, len(vocabulary)
    weight = np.asarray(table.weight) if len(table.weight) else np.ones(len(token))
    shape = (n, v)
    inputs = sparse.coo_matrix((weight[known], (example[known], place[known])), shape=shape).tocsr()  # sums repeats
    if len(table.weight):
        inputs.data = scale.counts(inputs.data)
    else:
        moment = np.asarray(table.time) if len(table.time) else np.arange(len(token))
        order = np.flatnonzero(known)[np.argsort(moment[known], kind="stable")]
        _, first = np.unique(example[order] * v + place[order], return_index=True)  # in the order of the matrix
        inputs.data = counted(np.diff(inputs.indptr), moment[order][first], decay)
    texts = table.tokens["token"].gather(token[is_unknown]).to_list()
    unknown: list[list[str]] = [[] for _ in range(n)]
    for at, text in zip(example[is_unknown], texts, strict=True):
        unknown[at].append(text)
    return inputs, [list(dict.fromkeys(one)) for one in unknown]
