"""The picture of a contest: quality and cost against D, and the paired differences that the verdicts come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.evaluation.bootstrap import LEVEL
from pipeline.pictures.layout import save
from pipeline.pictures.palette import BLUE, INK, METHODS, ORANGE, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OF_VERDICT = {"better": BLUE, "worse": ORANGE, "no difference shown": SOFT, "too few to tell": SOFT}
_ROOM = 0.25
"""A fit without a D that lies farther off than this share of the axis is named at its edge: it would squash the
rest."""
_FAR = 4.0
"""So many times the median difference, and farther, is marked at the edge too."""
_APART = 0.052
"""Least distance between two names beside an axis, as a share of its height."""


def draw_sweep(
    frame: pl.DataFrame,
    methods: Sequence[str],
    metric: str,
    higher_is_better: bool,
    chosen: int | None,
    fourth_root: float,
    told: Sequence[Mapping[str, Any]],
    path: Path,
    is_narrow: bool = False,
) -> None:
    """Draw quality against D, the paired differences, and cost against D.

    Args:
        frame: the frame of a comparison, with one row for each fit and the metric's interval.
        methods: those with a D to choose, the learned embedding first; the others are horizontal lines.
        metric: the primary metric of the task.
        higher_is_better: whether it is.
        chosen: the learned D that validation finds best; None if there is none.
        fourth_root: of V, a rule of thumb for D, which is marked.
        told: rows of a comparison's differences in the metric, for the pairs that people ask for.
        path: of the PNG file.
        is_narrow: whether it is for a phone: the three stand below each other.
    """
    figure, quality, paired, cost = (_below_each_other if is_narrow else _side_by_side)(len(told))
    _draw_quality(quality, frame, methods, metric, chosen, fourth_root)
    direction = "higher" if higher_is_better else "lower"
    quality.set_title(f"{frame['dataset'][0]}: {metric} against D, {direction} is better", loc="left", color=INK)
    _draw_differences(paired, told, is_narrow)
    intervals = f", with {LEVEL:.0%} intervals" if any(np.isfinite(row["low"]) for row in told) else ""
    paired.set_title(f"paired differences in {metric}{intervals}", loc="left", color=INK)
    for name, colour in zip(methods, METHODS, strict=False):
        swept = frame.filter(method=name).sort("dimension")
        cost.plot(swept["dimension"], np.maximum(swept["fit_seconds"], 1e-3), color=colour, marker="o", label=name)
    cost.set_yscale("log")
    cost.yaxis.set_major_formatter("{x:,g}")  # not 10 to the power of 1
    cost.set_title("seconds of the fit", loc="left", color=INK)
    for axes in (quality, cost):
        axes.set_xscale("log", base=2)
        tried = frame.filter(pl.col("method").is_in(methods))["dimension"].unique().sort().to_list()
        axes.set_xticks(tried, [str(d) for d in tried], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_xlabel("dimension D")
    for axes in (quality, paired, cost):
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def _side_by_side(n: int) -> "tuple[Figure, Axes, Axes, Axes]":
    """A picture for a page, with axes for quality, n differences and cost: the last two stand side by side."""
    from matplotlib.figure import Figure  # not pyplot: no global state, no window

    figure = Figure(figsize=(11, 5.2 + 0.27 * n), layout="constrained")
    parts = figure.subfigures(2, 1, height_ratios=(5.2, 1.2 + 0.27 * n), squeeze=False)
    quality = parts[0, 0].subplots()
    paired, cost = parts[1, 0].subplots(1, 2, width_ratios=(3, 2))
    return figure, quality, paired, cost


def _below_each_other(n: int) -> "tuple[Figure, Axes, Axes, Axes]":
    """A picture for a phone, with axes for quality, n differences and cost."""
    from matplotlib.figure import Figure

    heights = (4.2, 0.9 + 0.36 * n, 2.0)
    figure = Figure(figsize=(6, sum(heights)), layout="constrained")
    parts = figure.subfigures(3, 1, height_ratios=heights, squeeze=False)
    quality, paired, cost = (part.subplots() for part in parts[:, 0])
    return figure, quality, paired, cost


def _draw_quality(
    axes: "Axes", frame: pl.DataFrame, methods: Sequence[str], metric: str, chosen: int | None, fourth_root: float
) -> None:
    """Draw a line for each method with a D, and the others as horizontal lines; each has its name at its end."""
    names: list[tuple[float, str, str]] = []
    swept = frame.filter(pl.col("method").is_in(methods))
    columns = (metric, f"{metric}_low", f"{metric}_high")  # too few examples have no interval
    found = swept.select(columns).to_numpy()
    low, high = float(np.nanmin(found)), float(np.nanmax(found))
    for name, colour in zip(methods, METHODS, strict=False):
        own = frame.filter(method=name).sort("dimension")
        if own.is_empty():
            continue
        d, value = own["dimension"].to_numpy(), own[metric].to_numpy()
        ends = np.abs(own.select(f"{metric}_low", f"{metric}_high").to_numpy().T - value)
        axes.errorbar(d, value, yerr=ends, color=colour, marker="o", capsize=3, zorder=3)
        names.append((float(value[-1]), name, colour))
        if name == methods[0] and chosen is not None and chosen in d:
            best = float(value[list(d).index(chosen)])
            axes.plot(chosen, best, "o", markersize=15, fillstyle="none", color=colour)
            side = 1 if chosen == swept["dimension"].min() else -1
            axes.annotate(
                f"D = {chosen}, best on validation", (chosen, best), xytext=(12 * side, 9), textcoords="offset points",
                ha="left" if side == 1 else "right", fontsize=9, color=colour, zorder=4,
            )  # fmt: skip
    room = _ROOM * (high - low)
    others = frame.filter(~pl.col("method").is_in(methods)).select("fit", metric).rows()
    near = [value for _, value in others if low - room <= value <= high + room]
    low, high = min([low, *near]), max([high, *near])
    pad = 0.06 * max(high - low, 1e-9)
    axes.set_ylim(low - pad, high + 2 * pad)
    for name, value in others:
        if low <= value <= high:
            axes.axhline(value, color=SOFT, linewidth=0.9, linestyle="--")
            names.append((value, name, SOFT))
        else:
            arrow = "↓" if value < low else "↑"
            names.append((np.clip(value, low - pad, high + 2 * pad), f"{name} {value:.4g} {arrow}", SOFT))
    axes.axvline(fourth_root, color=INK, linewidth=0.6, alpha=0.4)
    axes.text(
        fourth_root, 0.0, f" fourth root of V = {fourth_root:.1f}", transform=axes.get_xaxis_transform(), fontsize=8,
        va="bottom", color=SOFT,
    )  # fmt: skip
    _name_beside(axes, names)


def _name_beside(axes: "Axes", names: Sequence[tuple[float, str, str]]) -> None:
    """Write names to the right of the axes, at their heights, as far apart as their letters are high."""
    low, high = axes.get_ylim()
    place = 1.0 + _APART
    for value, name, colour in sorted(names, reverse=True):
        place = min((value - low) / (high - low), place - _APART)
        axes.text(1.01, place, name, transform=axes.transAxes, va="center", fontsize=9, color=colour)


def _draw_differences(axes: "Axes", told: Sequence[Mapping[str, Any]], is_narrow: bool) -> None:
    """Draw a point and an interval for each difference, in the colour of its verdict, with words beside or above."""
    far = _FAR * float(np.median([abs(row["difference"]) for row in told] or [0.0]))
    for place, row in enumerate(reversed(told)):
        colour, value = _OF_VERDICT[row["verdict"]], row["difference"]
        if abs(value) > far > 0:
            edge = float(np.copysign(far, value))
            axes.plot(edge, place, marker=">" if value > 0 else "<", color=colour)
            side = "right" if value > 0 else "left"
            axes.text(edge - edge / 25, place, f"{value:+.4g}", ha=side, va="center", fontsize=8, color=colour)
            continue
        axes.plot(value, place, marker="o", color=colour)
        middle, half = (row["low"] + row["high"]) / 2, (row["high"] - row["low"]) / 2  # the value can lie outside
        axes.errorbar(middle, place, xerr=half, fmt="none", ecolor=colour, capsize=3)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.locator_params(axis="x", nbins=5)  # more numbers of four decimals would cover each other
    short = {name: name.removesuffix(" shown").removesuffix(" to tell") for name in _OF_VERDICT}
    labels = [f"{row['fit']} - {row['against']}: {short[row['verdict']]}" for row in reversed(told)]
    if is_narrow:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        for place, label in enumerate(labels):
            axes.text(0, place + 0.42, label, transform=axes.get_yaxis_transform(), va="center", fontsize=8).set_bbox(
                {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            )
    else:
        axes.set_yticks(range(len(told)), labels, fontsize=8)
    axes.set_ylim(-0.6, max(len(told), 1) - (0.2 if is_narrow else 0.4))
