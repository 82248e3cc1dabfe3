"""The page of missing tokens: name what is in your list, see what it lacks and why, and where you are on the map."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from pipeline.arrays import Array
from pipeline.inference.recommender import Recommended, Recommender
from pipeline.pictures.colours import OTHER, Groups, nearest, ordered, telling
from pipeline.pictures.palette import CATEGORIES, OTHER_COLOUR
from pipeline.pictures.projection import plane

MOST_OPTIONS = 20_000
"""With more tokens the browser does not get all labels: the first that have the typed text are offered."""
SHOWN = 3_000
"""Tokens on the map, the most frequent ones."""
_HALO = ", ".join(f"{x}px {y}px 1px white" for x in (-1, 1) for y in (-1, 1))
"""Around a name, so that it can be read over points."""
_LETTER, _LINE = 0.012, 0.035
"""About how wide a letter is and how high a line, as shares of the map."""
_SIDES = (
    *("bottom center", "top center", "middle right", "middle left"),
    *("bottom right", "bottom left", "top right", "top left"),
)
_OFFERED = 12
_RECOMMENDED = 8


def recommend(model: Recommender) -> None:
    """Draw the page."""
    labels = model.embedding.vocabulary.labels
    st.session_state.setdefault("list", [])
    left, right = st.columns([5, 6], gap="large")
    with left:
        st.title("What is missing from your list?")
        _ask(model, labels)
        given: list[str] = st.session_state["list"]
        if given:
            _answer(model, given)
        else:
            st.info("Name two or three that you know: what belongs with them appears here, and your place on the map.")
    with right:
        st.plotly_chart(_map(model, [*given]), width="stretch", theme=None, key="map")


def _ask(model: Recommender, labels: Sequence[str]) -> None:
    """The list, to which labels are added by typing."""
    if len(labels) <= MOST_OPTIONS:
        st.multiselect("your list", list(dict.fromkeys(labels)), key="list", placeholder="type a name")
        return
    typed = st.text_input("your list", placeholder="type a name, then press Enter", key="typed")
    for place in model.known.beginning(typed, _OFFERED) if typed else []:
        st.button(f"+ {labels[place]}", key=f"offer-{place}", on_click=_take, args=(labels[place],))
    for label in st.session_state["list"]:
        st.button(f"{label}  ✕", key=f"given-{label}", on_click=_drop, args=(label,))


def _take(label: str) -> None:
    """Take a label into the list, as a click does."""
    st.session_state["list"] = [*dict.fromkeys([*st.session_state["list"], label])]


def _drop(label: str) -> None:
    """Take a label out of the list."""
    st.session_state["list"] = [one for one in st.session_state["list"] if one != label]


def _answer(model: Recommender, given: Sequence[str]) -> None:
    """The recommendations, each with why, and a button that takes it into the list."""
    found: Recommended = model.recommend(given, k=_RECOMMENDED)
    if found.frame.is_empty():
        st.info("Nothing is missing: your list has all that the model knows.")
    for row in found.frame.iter_rows(named=True):
        text, button = st.columns([8, 2], vertical_alignment="center")
        about = " · ".join(str(row[name]) for name in model.about.columns if row[name] is not None)
        text.markdown(
            f"**{_plain(row['label'])}**  \n:gray[{_plain(_why(row))}{'  · ' if about else ''}{_plain(about)}]"
        )
        button.button("take it in", key=f"take-{row['token']}", on_click=_take, args=(row["label"],))


def _why(row: Mapping[str, Any]) -> str:
    """Why a token is recommended: what of the list pulls towards it, or else how often it occurs.

    >>> _why({"because": [{"label": "Alien"}, {"label": "Aliens"}], "count": 5}), _why({"because": [], "count": 341})
    ('because of Alien, Aliens', 'though nothing of yours pulls towards it: it occurs 341 times')
    """
    why = ", ".join(pull["label"] for pull in row["because"])
    return f"because of {why}" if why else f"though nothing of yours pulls towards it: it occurs {row['count']:,} times"


def _plain(text: str) -> str:
    """A text as Markdown that shows it as it is."""
    return "".join(f"\\{one}" if one in "\\`*_{}[]()#+-.!|<>~$:&" else one for one in text)


@st.cache_data(show_spinner="drawing the map")
def _places(_model: Recommender, name: str) -> tuple[Array, Array, tuple[str, ...]]:
    """Points (n, 2) of the most frequent tokens, the affine map (D + 1, 2) from vectors to them, and the axes."""
    embedding = _model.embedding.most_frequent_first()
    view = plane(embedding, SHOWN)
    vectors = embedding.matrix[: len(view.points)]
    augmented = np.column_stack([vectors, np.ones(len(vectors))])
    onto, *_ = np.linalg.lstsq(augmented, view.points, rcond=None)
    return view.points, onto, view.axes


def _map(model: Recommender, given: list[str]) -> go.Figure:
    """The tokens on the plane, and the way of the list on it as it grew."""
    points, onto, axes = _places(model, model.facts["mlflow_run"])
    vocabulary = model.embedding.vocabulary
    shown = vocabulary.by_count[: len(points)]  # their integers
    labels = [vocabulary.labels[i] for i in shown]
    figure = go.Figure()
    for place, (name, chosen) in enumerate(_groups(model, model.facts["mlflow_run"], len(points))):
        colour = OTHER_COLOUR if name == OTHER else CATEGORIES[place]
        figure.add_scattergl(
            x=points[chosen, 0], y=points[chosen, 1], mode="markers", name=name, text=[labels[i] for i in chosen],
            hoverinfo="text", marker={"size": 5, "opacity": 0.5, "color": colour},
        )  # fmt: skip
    if given:
        own = np.flatnonzero(np.isin(shown, model.known.find(given)))
        names = [labels[i] for i in own]
        figure.add_scatter(
            x=points[own, 0], y=points[own, 1], mode="markers+text", name="your list", text=names, hoverinfo="text",
            textposition=_sides(points[own], names, np.ptp(points, axis=0)), marker={"size": 9, "color": "#111"},
            textfont={"color": "#111", "shadow": _HALO},
        )  # fmt: skip
        way = np.stack([model.embed(given[: i + 1]) for i in range(len(given))])
        x, y = (np.column_stack([way, np.ones(len(way))]) @ onto).T
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            name="your way",
            line={"color": "#d62728", "width": 2, "dash": "dot"},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=x[-1:], y=y[-1:], mode="markers+text", name="you", text=["you"], textposition="top center",
            textfont={"size": 16, "color": "#d62728", "shadow": _HALO}, hoverinfo="text",
            marker={"symbol": "star", "size": 20, "color": "#d62728"},
        )  # fmt: skip
    figure.update_layout(
        height=640, margin={"l": 0, "r": 0, "t": 8, "b": 0}, xaxis_title=axes[0], yaxis_title=axes[1],
        xaxis_title_font_size=12, yaxis_title_font_size=12,
        legend={"orientation": "h", "y": -0.12}, uirevision="map", template="plotly_white",
    )  # fmt: skip
    return figure


def _sides(points: Array, names: Sequence[str], reach: Array) -> list[str]:
    """On which side of its point each name stands, so that it covers points and the names before it least.

    >>> _sides(np.zeros((3, 2)), ["a film", "a film", "a film"], np.ones(2))
    ['bottom center', 'top center', 'middle right']

    Args:
        points: (n, 2) of the names.
        names: n of them.
        reach: (2,) of the whole map.
    """
    points = points / reach
    taken = np.hstack([points - _LETTER / 2, points + _LETTER / 2])  # left, bottom, right, top
    found = []
    for (x, y), name in zip(points, names, strict=True):
        wide = _LETTER * len(name)
        across = {"center": x - wide / 2, "right": x + _LETTER, "left": x - _LETTER - wide}
        along = {"bottom": y - 1.4 * _LINE, "top": y + 0.4 * _LINE, "middle": y - _LINE / 2}
        boxes = {
            side: np.array([left, low, left + wide, low + _LINE])
            for side in _SIDES
            for low, left in [(along[side.split()[0]], across[side.split()[1]])]
        }
        found.append(min(boxes, key=lambda side: _covered(boxes[side], taken)))
        taken = np.vstack([taken, boxes[found[-1]]])
    return found


def _covered(box: Array, others: Array) -> float:
    """How much of other boxes (n, 4) a box (4,) covers."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return float(np.maximum(sides, 0).prod(axis=1).sum())


@st.cache_data(show_spinner="drawing the map")
def _groups(_model: Recommender, name: str, n: int) -> list[tuple[str, Array]]:
    """The tokens of each colour: by the first column that describes them, if there is one."""
    if not _model.about.width:
        return [("tokens", np.arange(n))]
    shown = _model.embedding.vocabulary.by_count[:n]
    column = _model.about.to_series(0)[shown].cast(str)
    colour = Groups(column.name, telling(column.to_list(), nearest(_model.embedding.matrix[shown])))
    return [(name, np.flatnonzero(np.array(colour.values) == name)) for name in ordered(colour)]
