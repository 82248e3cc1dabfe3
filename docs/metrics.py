"""Makes the page of the metrics, as Markdown, from what the code says of them: `python -m docs.metrics`."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from pipeline.config.task import Task
from pipeline.evaluation import selection
from pipeline.evaluation.bootstrap import LEVEL, RESAMPLES, Difference, interval
from pipeline.evaluation.classification import classification_metrics, roc_auc
from pipeline.evaluation.conformal import covered, half_width
from pipeline.evaluation.ranking import ndcg_at, recall_at
from pipeline.evaluation.regression import regression_metrics

FORMULAS: dict[str, tuple[Callable[..., Any], ...]] = {
    "missing_tokens": (recall_at, ndcg_at),
    "regression": (regression_metrics,),
    "classification": (classification_metrics, roc_auc),
}
"""The functions that compute the metrics of each task."""
_HEAD = f"""\
# What the metrics mean

Every fit is measured on the same held-out examples, from which none of them has learned. This page is written by
`make docs` from the docstrings of the functions that compute the metrics, each with an example that a test runs.

The first metric of a task is its primary one: by it validation chooses, and the answer of a run is about it. In tables
`0.1813 ±.0122` is a metric and half the width of its {LEVEL:.0%} interval; in MLflow the names begin with the part
that was measured (`validation_recall_at_20`, `test_recall_at_20`), and `_low` and `_high` are the ends of the interval.

Read `recall_at_20` as a share: of what was hidden from a list, how much was found among 20 guesses. Read `rmse_log` as
one too: 0.1 is an error of about 10%, up or down.
"""
_CERTAIN = f"""\
## How certain a metric is

The examples are drawn {RESAMPLES:,} times anew, with replacement, and each metric is computed on each draw; with
`split.group` whole groups are drawn. Both fits of a verdict are measured on the same draws, so what is hard or easy for
both does not count. An interval says how the metric would vary over other examples, or groups, of the same kind.

Another seed would give another fit, too. So each fit that has chance in it is made with further seeds (`seeds` in conf)
and measured on the same examples. The variance between seeds, the mean of that within each of K folds, divided by K, is
what chance adds to each draw, as Student's distribution for so few fits. A verdict covers the chance of both fits. What
other training examples would give is not covered. With `seeds: 1` intervals are over examples only, and tables say so.
"""


def page() -> str:
    """The whole page: the metrics of each task with their formulas, then intervals, verdicts and choices."""
    parts = [_HEAD]
    for kind, task in Task.kinds().items():
        parts += [f"## `kind: {kind}`\n", f"{task.__doc__}\n", _table(task.model_construct())]
        parts += [_described(function, f"`{function.__name__}`") for function in FORMULAS[kind]]
    parts += [
        _CERTAIN,
        _described(interval, "The interval"),
        _described(Difference.verdict.fget, "The verdict"),
        "## How validation chooses\n",
        *_paragraphs(inspect.getdoc(selection) or ""),
        _described(selection.is_preferred, "One candidate or another"),
        "## The interval of a prediction\n",
        _described(half_width, "Its width"),
        _described(covered, "How many test examples it covers"),
    ]
    return "\n".join(parts)


def _table(task: Task) -> str:
    rows = [
        f"| `{metric.name}` | {'more' if metric.higher_is_better else 'less'} | {metric.meaning} |"
        for metric in task.metrics
    ]
    return "\n".join(["| metric | better is | meaning |", "|---|---|---|", *rows, ""])


def _described(function: Any, title: str) -> str:
    return "\n".join([f"### {title}\n", *_paragraphs(inspect.getdoc(function) or "")])


def _paragraphs(docstring: str) -> Iterator[str]:
    """The paragraphs of a docstring in Markdown: formulas and examples as code, arguments as a list."""
    for text in docstring.split("\n\n"):
        if text.startswith("    "):
            yield f"```\n{inspect.cleandoc(text)}\n```\n"
        elif text.startswith(">>>"):
            yield f"```pycon\n{text}\n```\n"
        elif text.startswith("Args:"):
            yield re.sub(r"^ {4}(\w+):", r"- `\1`:", text.removeprefix("Args:\n"), flags=re.MULTILINE) + "\n"
        elif text.startswith("Returns:"):
            result = inspect.cleandoc(text.removeprefix("Returns:"))
            yield f"Returns {result.replace('The ', 'the ', 1)}\n"
        else:
            yield text + "\n"


if __name__ == "__main__":
    print(page(), end="")
