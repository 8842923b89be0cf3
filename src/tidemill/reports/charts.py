"""Pictures of a run: where the time went, and what the feature matrix looks like."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidemill.errors import ArgumentError
from tidemill.reports.text import seconds_text, slowest_calculators

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Strip", "feature_map", "seconds_per_calculator"]

#: Bars of the picture of seconds; all other entries become one more.
BARS = 18
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
        _explain_colours(axes)
    return Path(path)


def _bars(seconds: Mapping[str, float]) -> list[tuple[str, float, str]]:
    """Name, seconds and colour of each bar, from the top down."""
    slowest = slowest_calculators(seconds, len(seconds))
    bars = [
        (name.removeprefix("need:"), value, ORANGE if name.startswith("need:") else BLUE)
        for name, value in slowest[:BARS]
    ]
    if rest := slowest[BARS:]:
        bars.append((f"{len(rest)} others", sum(value for _, value in rest), GREY))
    return bars


def _explain_colours(axes: Axes) -> None:
    from matplotlib.patches import Patch

    meanings = {BLUE: "calculator", ORANGE: "intermediate that calculators share"}
    patches = [Patch(color=colour, label=text) for colour, text in meanings.items()]
    axes.legend(handles=patches, loc="lower right", frameon=False, fontsize=9)


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
    from PIL import Image  # matplotlib writes PNG with it, but only in full colour

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    with Image.open(drawn) as image:  # 128 colours: 95 kB instead of 253 kB for the demo's map
        flat = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    flat.save(path, format="PNG", optimize=True)
