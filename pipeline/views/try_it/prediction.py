"""The page of a number or a class: change words and numbers, and watch the answer and what each word adds to it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from pipeline.errors import number_of
from pipeline.inference.predictor import Predictor
from pipeline.pictures.names import shortened
from pipeline.pictures.palette import SIGNED
from pipeline.tasks.target import TargetTask

_NONE = "—"
_NO_BUTTONS = {"displayModeBar": False}
"""Plotly's buttons would cover the title on a phone, and there is nothing to zoom into."""
_ADDING = 14
"""Tokens whose effects are drawn."""
_ROOM = 0.3
"""Room for the number beside the longest bar, as a share of what all bars span."""


def predict(model: Predictor) -> None:
    """Draw the page."""
    task = model.conf.task
    assert isinstance(task, TargetTask)
    top = st.container()  # the answer comes first, on a phone too
    left, right = st.columns([6, 5], gap="large")
    with left:
        record = _asked(model)
    (answer,) = model.answers([record], {})
    with top:
        _tell(model, task, answer)
    with right:
        if answer["because"]:
            bars = _added(model.explain(record).head(_ADDING), task)
            st.plotly_chart(bars, width="stretch", theme=None, key="adds", config=_NO_BUTTONS)
        if answer["unknown"]:
            st.caption(f"not known, and left out: {', '.join(answer['unknown'])}")


def _tell(model: Predictor, task: TargetTask, answer: dict[str, Any]) -> None:
    """The answer in large figures."""
    if "probabilities" in answer:
        st.title(f"{task.target}: {answer['predicted']}")
        st.markdown(f"with a probability of {answer['probability']:.0%}")
        return
    st.title(f"{task.target}: {_figure(answer['predicted'])}")
    if answer["low"] is not None:
        ends = f"{_figure(answer['low'])} to {_figure(answer['high'])}"
        st.markdown(f"with {model.facts['coverage']:.0%} probability from {ends}")
        if said := how_often_covered(model.facts):
            st.caption(said)


def how_often_covered(facts: Mapping[str, Any]) -> str:
    """How many test examples such intervals have covered, as a sentence; empty where none was tested.

    >>> how_often_covered({"covered": 0.7374, "covered_of": 99})
    'Of 99 test examples such intervals have covered 74%.'
    """
    if (share := facts.get("covered")) is None:
        return ""
    return f"Of {number_of(facts['covered_of'], 'test example')} such intervals have covered {share:.0%}."


def _figure(value: float) -> str:
    """A number with as many digits as people read.

    >>> _figure(225735.4), _figure(0.123456)
    ('225,735', '0.1235')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _step(value: float) -> float:
    """A power of ten by which a click changes a number: about a tenth of it, and a whole one where the number is whole.

    >>> _step(1656.0), _step(3.0), _step(42.03), _step(0.5)
    (100.0, 1.0, 1.0, 0.01)
    """
    size = abs(value)
    least = 1.0 if value.is_integer() else 0.01
    return max(10.0 ** (math.floor(math.log10(size)) - 1), least) if size else least


def _asked(model: Predictor) -> dict[str, Any]:
    """What a person enters: a record, which begins as the model's example."""
    (example,) = model.example()
    record: dict[str, Any] = {}
    numbers = [column.name for column in model.conf.task.unanswered().named_columns()]
    for name, place in _in_rows(numbers, 3):
        value = None if example.get(name) is None else float(example[name])
        record[name] = place.number_input(name, value=value, step=_step(value or 0.0), format="%.10g", key=f"n-{name}")
    for tokens in model.conf.tokens:
        for name, place in _in_rows(tokens.columns, 1 if tokens.gives_lists else 3):
            if tokens.gives_lists:
                record[name] = place.text_area(name, value=str(example.get(name) or ""), key=f"t-{name}")
            else:
                record[name] = _chosen(model, place, name, example.get(name), tokens.lowercase)
    return record


def _in_rows(names: Sequence[str], n: int) -> Iterator[tuple[str, Any]]:
    """Each name with its place, n in a row; each row has columns of its own, so that a phone keeps the order."""
    for start in range(0, len(names), n):
        yield from zip(names[start : start + n], st.columns(n), strict=False)


def _chosen(model: Predictor, place: Any, name: str, value: Any, lowercase: bool) -> str | None:
    """The value of a column, chosen among those that are known."""
    known = _values(model, name)
    is_low = lowercase or isinstance(value, bool)  # a token is `true`, where Python says True
    given = _NONE if value is None else (str(value).lower() if is_low else str(value))
    options = [_NONE, *known] if given in known else [_NONE, *known, *([given] if given != _NONE else [])]
    found = place.selectbox(name, options, index=options.index(given), key=f"v-{name}")
    return None if found == _NONE else found


def _values(model: Predictor, name: str) -> list[str]:
    """The values of a column that have a place in the vocabulary, by name."""
    tokens = model.fitted.embedding.vocabulary.tokens["token"]
    start = f"{name}=".lower()
    if not tokens.str.to_lowercase().str.starts_with(start).any():
        return sorted(tokens.to_list())
    own = tokens.filter(tokens.str.to_lowercase().str.starts_with(start))
    return sorted(own.str.slice(len(start)).to_list())


def _added(effects: pl.DataFrame, task: TargetTask) -> go.Figure:
    """What each token adds, as bars, the largest at the top; for several classes the one that it speaks for."""
    effects = effects.reverse()
    name = effects.columns[-1]
    below, _, above = SIGNED
    colours: list[str] | str = above
    if effects.schema[name] == pl.String:
        texts, sizes, side, room = effects[name].to_list(), [1.0] * effects.height, "inside", 0.0
    else:
        sizes = effects[name].to_list()
        texts, side, room = [task.effect_text(size) for size in sizes], "outside", _ROOM
        colours = [above if size > 0 else below for size in sizes]
    low, high = min([*sizes, 0.0]), max([*sizes, 0.0])
    room *= high - low
    figure = go.Figure(
        go.Bar(
            x=sizes, y=effects["label"], orientation="h", text=texts, textposition=side, marker={"color": colours},
            cliponaxis=False,
        )
    )  # fmt: skip
    figure.update_layout(
        height=60 + 30 * effects.height, margin={"l": 0, "r": 0, "t": 34, "b": 0},
        title={"text": name, "font": {"size": 14}},
        xaxis={"visible": False, "range": [low - room if low < 0 else low, high + room or 1.0]},
        yaxis={"automargin": True, "tickvals": effects["label"], "ticktext": [*map(shortened, effects["label"])]},
        template="plotly_white",
    )  # fmt: skip
    return figure
