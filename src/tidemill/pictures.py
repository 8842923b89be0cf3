"""Pictures of a run: where the time went, and what the feature matrix looks like."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tidemill.report import slowest_calculators

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["feature_map", "seconds_per_calculator"]

#: Bars of the picture of seconds.
BARS = 25
#: Colours end at this many standard deviations.
CLIP = 2.5
#: A calculator's name needs this share of the picture's height.
LABEL_SHARE = 0.012


def seconds_per_calculator(
    seconds: Mapping[str, float], path: str | os.PathLike[str], title: str = ""
) -> Path:
    """Draw bars of the seconds that each calculator took over all series; the PNG's path."""
    slowest = slowest_calculators(seconds, BARS)[::-1]
    with _figure(path, (9, 0.6 + 0.28 * max(len(slowest), 3))) as axes:
        names = [name.replace("need:", "shared: ") for name, _ in slowest]
        axes.barh(names, [1e3 * value for _, value in slowest], color="#2a6f97")
        axes.set_xlabel("milliseconds of one thread, all series")
        axes.set_ylabel("calculator or shared intermediate")
        axes.set_title(title or "Where the time went")
        axes.spines[["top", "right"]].set_visible(False)
    return Path(path)


def feature_map(
    matrix: pd.DataFrame, path: str | os.PathLike[str], id_label: str = "id", title: str = ""
) -> Path:
    """Draw the matrix as an image: ids across, features down in the matrix's order.

    Each feature is scaled to its own mean and standard deviation; constant ones are left out.
    """
    chosen = matrix.loc[:, matrix.std(skipna=True) > 0]
    scaled = (chosen - chosen.mean()) / chosen.std()
    calculators = [column.split("__")[1] for column in chosen.columns]
    with _figure(path, (11, 8)) as axes:
        image = axes.imshow(
            scaled.T.clip(-CLIP, CLIP), aspect="auto", cmap="RdBu_r", interpolation="nearest",
            vmin=-CLIP, vmax=CLIP,
        )  # fmt: skip
        _label_calculators(axes, calculators)
        _label_ids(axes, matrix.index)
        axes.set_xlabel(id_label)
        axes.set_ylabel(f"calculator ({len(calculators)} features that vary)")
        axes.set_title(title or "The feature matrix")
        axes.figure.colorbar(image, ax=axes, label="standard deviations from the feature's mean")
    return Path(path)


def _label_calculators(axes: Axes, calculators: list[str]) -> None:
    """Name each calculator at the middle of its rows, where there is room for the text."""
    starts = [i for i, name in enumerate(calculators) if i == 0 or name != calculators[i - 1]]
    ends = [*starts[1:], len(calculators)]
    ticks, labels = [], []
    room = 0.0
    for start, end in zip(starts, ends, strict=True):
        middle = (start + end - 1) / 2
        if not ticks or middle - room >= LABEL_SHARE * len(calculators):
            ticks.append(middle)
            labels.append(calculators[start])
            room = middle
    axes.set_yticks(ticks, labels, fontsize=6)
    axes.hlines(np.array(starts[1:]) - 0.5, -0.5, axes.get_xlim()[1], color="white", lw=0.3)


def _label_ids(axes: Axes, index: pd.Index[Any]) -> None:
    ticks = np.unique(np.linspace(0, len(index) - 1, min(len(index), 12)).astype(int))
    axes.set_xticks(ticks, [str(index[i])[:10] for i in ticks], rotation=30, ha="right", fontsize=7)


@contextmanager
def _figure(path: str | os.PathLike[str], size: tuple[float, float]) -> Iterator[Axes]:
    """Axes of a figure that is written to ``path`` when the block is left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure.add_subplot()
    figure.savefig(path, dpi=130)
