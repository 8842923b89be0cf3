"""The features a plan calculates: those of its settings that are not published yet."""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.calculators.settings import Settings
from tidemill.model.aliases import Feature
from tidemill.model.feature_names import feature_name

__all__ = ["features_left"]


def features_left(
    settings: Settings, kinds: Sequence[str], published: Sequence[str] = ()
) -> dict[str, tuple[Feature, ...]]:
    """The features of each kind, without those whose columns are already published.

    Parameters
    ----------
    settings : of the whole result
    kinds : of the input
    published : feature columns that exist already

    Examples
    --------
    >>> settings = Settings.from_any({"mean": None, "median": None})
    >>> features_left(settings, ["x"], ["x__mean"])
    {'x': (('median', {}),)}
    """
    known = set(published)
    return {
        kind: tuple(
            one
            for one in settings.features_for(kind)
            if not known or feature_name(kind, *one) not in known
        )
        for kind in kinds
    }
