"""Divides a table of pairs by time: what came before trains, what came next validates, what came last is tested.

Letters: P pairs, E example numbers.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.config.dataset import Dataset
from pipeline.errors import PipelineError, number_of
from pipeline.out_of_core.csr_builder import CsrBuilder
from pipeline.out_of_core.growing import Growing
from pipeline.records.pairs.cuts import Cuts, cut, histogram, last_times
from pipeline.records.pairs.pair_table import NO_RECORD, PairTable
from pipeline.records.values.times import in_words


def split_by_time(table: PairTable, schema: pl.Schema, conf: Dataset) -> PairTable:
    """The table with parts instead of times.

    Args:
        table: with times.
        schema: of the raw records.
        conf: the dataset.

    Raises:
        PipelineError: time varies within an example although the task predicts no tokens, or there are too few
            different times.
    """
    how = held_out(table, conf)
    if how == "examples":
        return divided(table, cuts_of_examples(table, conf), how, schema, conf)
    cuts = _cuts_of_last(table) if how == "last" else cut(len(table.time), lambda *at: _histogram(table, *at), conf)
    parts = Growing(np.uint8)
    for block in table.blocks():
        if block.time is not None:
            parts.append(cuts.parts(block.time, block.example if how == "last" else None))
    return divided(replace(table, part=parts.array()), cuts, how, schema, conf)


def held_out(table: PairTable, conf: Dataset) -> Literal["examples", "tokens", "last"]:
    """What conf holds out, or what the times of the examples suggest.

    Raises:
        PipelineError: time varies within an example although the task predicts no tokens.
    """
    if conf.split.hold_out is not None:
        return conf.split.hold_out
    if not (table.first < table.last).any():
        return "examples"
    if not conf.task.predicts_tokens:
        raise PipelineError(
            f"{conf.file}, split.time: {conf.split.time!r} varies within an example, but an answer belongs to a whole "
            "one. Say `hold_out: examples` below `split`: the last time of an example is then its time."
        )
    return "tokens"


def cuts_of_examples(table: PairTable, conf: Dataset) -> Cuts:
    """The moments that divide the examples, each by its last time."""
    times = table.last[table.first <= table.last]
    return cut(len(times), lambda above, shift: histogram(times, above, shift), conf)


def divided(table: PairTable, cuts: Cuts, how: str, schema: pl.Schema, conf: Dataset) -> PairTable:
    """The table with the first and the last part of each example instead of its first and its last time.

    Args:
        table: whose pairs are divided already.
        cuts: the moments.
        how: what is held out.
        schema: of the raw records.
        conf: the dataset.

    Raises:
        PipelineError: nothing can be tested.
    """
    first, last = cuts.parts(table.last if how == "examples" else table.first), cuts.parts(table.last)
    if how == "last" and not last.any():
        raise PipelineError(
            f"{conf.file}, split.hold_out: no example has tokens of three different times, the last to test, the one "
            "before to validate, the first to train. Do `example`, `tokens` and `split.time` name the right columns?"
        )
    nobody = table.first > table.last
    first[nobody], last[nobody] = NO_RECORD, 0
    said = _sentence(cuts, how, schema, conf)
    if how == "tokens" and last.any():
        later = last == last.max()
        n_begun = int((first < last)[later].sum())
        if not n_begun:
            raise PipelineError(
                f"{conf.file}, split.time: no example has tokens both before and after a moment of "
                f"{conf.split.time!r}, so nothing can be predicted from what came before. Say `hold_out: examples` "
                "below `split`."
            )
        said += f" Of the {number_of(later.sum(), 'example')} with something later, {n_begun:,} had begun before."
    # where the tokens of an example are divided, their order still tells which came last
    time = np.empty(0) if how == "examples" else table.time
    return replace(table, first=first, last=last, time=time, divided=said)


def _sentence(cuts: Cuts, how: str, schema: pl.Schema, conf: Dataset) -> str:
    column = conf.split.time
    if column is None:
        return (
            "By the order of the lists: tested on the last token of each, validated on the one before, trained on all "
            "others."
        )
    if how == "last":
        return (
            f"By {column}: tested on the tokens of each example's last time, validated on those of the time before, "
            "trained on all others."
        )
    train, validation = (in_words(float(moment), column, schema) if np.isfinite(moment) else None for moment in cuts)
    if train is None:
        return "Trained on everything."
    said = [f"trained on what came until {train}"]
    if conf.split.validation:
        said.append("validated on what came after that" + (f" until {validation}" if validation else ""))
    if validation:
        said.append("tested on what came later" if conf.split.validation else "tested on what came after that")
    return f"By {column}: {', '.join(said)}."


def _cuts_of_last(table: PairTable) -> Cuts:
    """The moments of each example: the first time of a token that it has several times counts."""
    size = max(len(table.ids), 1), max(table.tokens.height, 1)
    with CsrBuilder(*size, n_parts=1, n_entries=len(table), has_weights=True, least=True) as builder:
        for block in table.blocks():
            builder.add(block.example, block.token, np.zeros(len(block.token), np.uint8), block.time)
        found = [last_times(bucket.indptr, bucket.weights) for bucket in builder if bucket.weights is not None]
    return Cuts(*(np.concatenate(moments)[: len(table.ids)] for moments in zip(*found, strict=True)))


def _histogram(table: PairTable, above: int, shift: int) -> Array:
    times = (block.time for block in table.blocks() if block.time is not None)
    return sum((histogram(some, above, shift) for some in times), np.zeros(1, np.int64))
