"""Pictures of a run: where the time went, and what the feature matrix looks like."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidemill.errors import ArgumentError
from tidemill.model.aliases import Floats, Index
from tidemill.model.counts import counted
from tidemill.reports.text import seconds_text, slowest_calculators

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Strip",
    "drawn_figures",
    "feature_map",
    "ordered_p_values",
    "ordered_shares",
    "seconds_per_calculator",
]

#: Bars of the picture of seconds; all other entries become one more.
BARS = 18
#: Name of the text in a PNG that says what it shows.
_NOTE = "tidemill"
#: Smaller p-values are drawn as this one, of which there is a logarithm.
SMALLEST = 1e-300
#: Colours end at this many standard deviations.
CLIP = 2.5
#: Few colours, so that the scale is readable and the file small.
COLOURS = 10
#: A calculator's name needs this share of the map's height.
LABEL_SHARE = 0.0165
#: Names of ids along the map; more would overlap.
ID_LABELS = 14
#: Blue and orange that colour-blind people can tell apart (Okabe and Ito).
BLUE, ORANGE, GREY = "#0072b2", "#e69f00", "#8a8a8a"


@dataclass(frozen=True, slots=True)
class Strip:
    """A line with a band above the map: one value per id."""

    low: Sequence[float]
    middle: Sequence[float]
    high: Sequence[float]
    label: str  # with its unit


def seconds_per_calculator(
    seconds: Mapping[str, float], path: str | os.PathLike[str], title: str = ""
) -> Path:
    """Draw the time of each calculator over all series as bars; return the PNG's path.

    Intermediates, which several calculators share, have a colour of their own. Entries beyond the
    slowest eighteen are summed in one bar.
    """
    bars = _bars(seconds)[::-1]
    with _figure(path, (9, 1.4 + 0.29 * max(len(bars), 3))) as figure:
        axes = figure.add_subplot()
        drawn = axes.barh(
            [name for name, _, _ in bars],
            [1e3 * value for _, value, _ in bars],
            color=[colour for _, _, colour in bars],
        )
        labels = [seconds_text(value) for _, value, _ in bars]
        axes.bar_label(drawn, labels, padding=4, fontsize=8, color="#444444")
        axes.set_xlabel("milliseconds of one thread, all series together")
        axes.set_title(title or "Time per calculator", loc="left", fontsize=12)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", labelsize=9, length=0)
        axes.margins(x=0.1, y=0.01)
        _explain_colours(figure)
        _note(figure, title=axes.get_title(loc="left"), entries=len(seconds), bars=len(bars))
    return Path(path)


def _bars(seconds: Mapping[str, float]) -> list[tuple[str, float, str]]:
    """Name, seconds and colour of each bar, from the top down."""
    slowest = slowest_calculators(seconds, len(seconds))
    bars = [
        (name.removeprefix("need:"), value, ORANGE if name.startswith("need:") else BLUE)
        for name, value in slowest[:BARS]
    ]
    if rest := slowest[BARS:]:
        bars.append((counted(len(rest), "other"), sum(value for _, value in rest), GREY))
    return bars


def drawn_figures(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a picture shows, as it was noted in it when it was drawn.

    Raises
    ------
    ArgumentError
        If the picture holds no such note.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "seconds.png"
    >>> drawn_figures(seconds_per_calculator({"mean": 0.002}, path))
    {'title': 'Time per calculator', 'entries': 1, 'bars': 1}
    """
    from PIL import Image

    with Image.open(path) as image:
        note = image.info.get(_NOTE)
    if note is None:
        raise ArgumentError(f"path={os.fspath(path)!r} is no picture drawn by tidemill")
    found: dict[str, Any] = json.loads(note)
    return found


def _note(figure: Figure, **shown: Any) -> None:
    """Note what a figure shows, for :func:`drawn_figures`."""
    figure.set_label(json.dumps(shown))


def _explain_colours(figure: Figure) -> None:
    from matplotlib.patches import Patch

    meanings = {BLUE: "calculator", ORANGE: "intermediate that calculators share"}
    patches = [Patch(color=colour, label=text) for colour, text in meanings.items()]
    # Below the bars, because the longest of them may reach anywhere.
    figure.legend(handles=patches, loc="outside lower center", ncols=2, frameon=False, fontsize=9)


def ordered_p_values(
    p_values: Mapping[str, Floats],
    thresholds: Floats,
    path: str | os.PathLike[str],
    title: str = "",
) -> Path:
    """Draw p-values in ascending order, and what they are compared with; return the PNG's path.

    Parameters
    ----------
    p_values : of each class, or under one name of the only tests: ascending, float64[m]
    thresholds : float64[m]
    path : of the PNG
    title : default: "p-values of the features"

    Raises
    ------
    ArgumentError
        If there is no p-value.
    """
    if not len(thresholds):
        raise ArgumentError("there are no p-values to draw: no feature was tested")
    ranks = np.arange(1, len(thresholds) + 1)
    relevant = {name: _last_below(found, thresholds) for name, found in p_values.items()}
    with _figure(path, (9, 5.5)) as figure:
        axes = figure.add_subplot()
        for name, found in p_values.items():
            shown, count = np.maximum(found, SMALLEST), relevant[name]
            axes.plot(ranks, shown, color=GREY, lw=0.8)
            axes.plot(ranks[count:], shown[count:], ".", color=GREY, ms=4)
            axes.plot(ranks[:count], shown[:count], ".", color=BLUE, ms=6)
        axes.plot(ranks, thresholds, color=ORANGE, lw=2)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("features in the order of their p-values" + _each(p_values))
        axes.set_ylabel("p-value")
        _entitle(axes, title or "p-values of the features")
        axes.spines[["top", "right"]].set_visible(False)
        _explain_points(figure)
        _note(figure, title=axes.get_title(loc="left"), tested=len(ranks), relevant=relevant)
    return Path(path)


def ordered_shares(
    counts: Index, intervals: int, min_share: float, path: str | os.PathLike[str], title: str
) -> Path:
    """Draw in how many intervals features are relevant, in descending order; return the PNG's path.

    Parameters
    ----------
    counts : int64[m], intervals in which each feature is relevant
    intervals : of which so many were tested
    min_share : of these, in which a relevant feature is so
    path : of the PNG
    title : of the picture
    """
    ordered = np.sort(counts)[::-1]
    ranks = np.arange(1, len(ordered) + 1)
    chosen = ordered / intervals >= min_share
    with _figure(path, (9, 5.5)) as figure:
        axes = figure.add_subplot()
        axes.plot(ranks[~chosen], ordered[~chosen], ".", color=GREY, ms=4)
        axes.plot(ranks[chosen], ordered[chosen], ".", color=BLUE, ms=6)
        axes.axhline(min_share * intervals, color=ORANGE, lw=2)
        axes.set_ylim(-0.03 * intervals, 1.03 * intervals)
        axes.set_xlabel("features in the order of the intervals in which they are relevant")
        axes.set_ylabel(f"intervals, of {intervals:,}")
        _entitle(axes, title)
        axes.spines[["top", "right"]].set_visible(False)
        _explain_points(figure)
        _note(figure, title=title, features=len(ordered), relevant=int(chosen.sum()))
    return Path(path)


def _entitle(axes: Axes, title: str) -> None:
    """Set a title in which dollars are dollars, as names of columns may have them."""
    axes.set_title(title, loc="left", fontsize=12, parse_math=False)


def _last_below(p_values: Floats, thresholds: Floats) -> int:
    """How many p-values come up to the last one that is not above its threshold."""
    below = np.flatnonzero(p_values <= thresholds)
    return int(below[-1]) + 1 if len(below) else 0


def _each(p_values: Mapping[str, Floats]) -> str:
    return f", of each of {len(p_values):,} classes" if len(p_values) > 1 else ""


def _explain_points(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    kinds = [
        Line2D([], [], color=BLUE, marker="o", ls="", label="relevant"),
        Line2D([], [], color=GREY, marker="o", ls="", label="not relevant"),
        Line2D([], [], color=ORANGE, lw=2, label="threshold"),
    ]
    figure.legend(handles=kinds, loc="outside lower center", ncols=3, frameon=False, fontsize=9)


def feature_map(
    matrix: pd.DataFrame,
    path: str | os.PathLike[str],
    id_label: str = "id",
    title: str = "",
    *,
    strip: Strip | None = None,
    id_ticks: Mapping[int, str] | None = None,
) -> Path:
    """Draw the matrix as an image: ids across, features down in the matrix's order.

    Each feature is scaled by its own mean and standard deviation; features that are the same for
    all ids, or NaN for all, are left out.

    Parameters
    ----------
    matrix : feature matrix, one row per id
    path : of the PNG
    id_label : what an id is
    title : default: "The feature matrix"
    strip : drawn above the map, for the same ids
    id_ticks : names of rows of the matrix, by position; default: some of the ids

    Raises
    ------
    ArgumentError
        If no feature varies, as in a matrix of one row.
    """
    finite = matrix.where(np.isfinite(matrix))  # infinite cells are drawn as missing
    chosen = finite.loc[:, finite.std(skipna=True) > 0]
    if chosen.empty:
        raise ArgumentError(
            f"none of the {matrix.shape[1]} features varies over {len(matrix)} ids; "
            "there is no map to draw"
        )
    calculators = [column.split("__")[1] for column in chosen.columns]
    with _figure(path, (11, 8.5 if strip else 7.5)) as figure:
        above, axes = _stacked(figure, strip)
        _draw_map(axes, chosen)
        _label_calculators(axes, calculators)
        _label_ids(axes, matrix.index, id_ticks)
        axes.set_xlabel(id_label)
        axes.set_ylabel(
            f"{chosen.shape[1]} of {matrix.shape[1]} features, by calculator\n"
            "(the others are the same for every id, or not defined)"
        )
        if strip is not None:
            _draw_strip(above, strip)
        above.set_title(title or "The feature matrix", loc="left", fontsize=13)
        _note(
            figure,
            title=above.get_title(loc="left"),
            ids=[str(one) for one in (matrix.index[0], len(matrix), matrix.index[-1])],
            columns=matrix.shape[1],
            features=chosen.shape[1],
            calculators=list(dict.fromkeys(calculators)),
        )
    return Path(path)


def _stacked(figure: Figure, strip: Strip | None) -> tuple[Axes, Axes]:
    """The upper and the lower axes; the same ones if there is no strip."""
    if strip is None:
        axes = figure.add_subplot()
        return axes, axes
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 6])
    above.tick_params(axis="x", length=0, labelbottom=False)
    return above, below


def _draw_strip(axes: Axes, strip: Strip) -> None:
    ids = np.arange(len(strip.middle))
    axes.fill_between(ids, strip.low, strip.high, color=BLUE, alpha=0.3, lw=0)
    axes.plot(ids, strip.middle, color=BLUE, lw=1)
    axes.set_ylabel(strip.label)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_map(axes: Axes, chosen: pd.DataFrame) -> None:
    from matplotlib import colormaps

    scaled = ((chosen - chosen.mean()) / chosen.std()).clip(-CLIP, CLIP)
    colours = colormaps["RdBu_r"].resampled(COLOURS).with_extremes(bad="#d9d9d9")
    image = axes.imshow(
        np.ma.masked_invalid(scaled.to_numpy().T), aspect="auto", cmap=colours,
        interpolation="nearest", vmin=-CLIP, vmax=CLIP,
    )  # fmt: skip
    bar = axes.figure.colorbar(image, ax=axes, extend="both", pad=0.01, aspect=40)
    bar.set_label("standard deviations from the feature's mean (grey: not defined)")


def _label_calculators(axes: Axes, calculators: Sequence[str]) -> None:
    """Name calculators at the middle of their rows, the largest first, as long as they fit."""
    bounds = [
        0,
        *(i for i in range(1, len(calculators)) if calculators[i] != calculators[i - 1]),
        len(calculators),
    ]
    groups = sorted(pairwise(bounds), key=lambda one: one[0] - one[1])
    placed: dict[float, str] = {}
    for start, end in groups:
        middle = (start + end - 1) / 2
        if all(abs(middle - other) >= LABEL_SHARE * len(calculators) for other in placed):
            placed[middle] = calculators[start]
    axes.set_yticks(list(placed), list(placed.values()), fontsize=8)
    axes.hlines(np.array(bounds[1:-1]) - 0.5, -0.5, axes.get_xlim()[1], color="white", lw=0.5)


def _label_ids(axes: Axes, index: pd.Index[Any], ticks: Mapping[int, str] | None) -> None:
    if ticks is None:
        spread = np.unique(np.linspace(0, len(index) - 1, min(len(index), ID_LABELS)).astype(int))
        ticks = {int(i): str(index[i])[:12] for i in spread}
    longest = max((len(line) for name in ticks.values() for line in name.split("\n")), default=0)
    turn: dict[str, Any] = {"rotation": 30, "ha": "right"} if longest > 5 else {}
    axes.set_xticks(list(ticks), list(ticks.values()), fontsize=9, **turn)


@contextmanager
def _figure(path: str | os.PathLike[str], size: tuple[float, float]) -> Iterator[Figure]:
    """A figure that is written to ``path`` at the end of the block."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # matplotlib writes PNG with it, but only in full colour.
    from PIL import Image, PngImagePlugin

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    with Image.open(drawn) as image:  # 128 colours: 95 kB instead of 253 kB for the demo's map
        flat = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    note = PngImagePlugin.PngInfo()
    note.add_text(_NOTE, str(figure.get_label()))
    flat.save(path, format="PNG", optimize=True, pnginfo=note)
