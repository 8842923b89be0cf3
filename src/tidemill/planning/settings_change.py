"""How the requested settings differ from those an interval was built with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tidemill.calculators.settings_formats import EVERY_KIND
from tidemill.errors import shorten
from tidemill.model.feature_names import feature_name
from tidemill.model.interval import Interval
from tidemill.model.policies import Policies
from tidemill.storage.intervals import IntervalRecord

__all__ = ["SettingsChange", "settings_change"]

#: Features named in the text.
NAMED = 3


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What is requested now, compared with what an interval was built with."""

    gained: tuple[str, ...] = ()  # features; without a kind if they are for every kind
    lost: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()  # and the window, in words

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.policies)

    @property
    def only_gains(self) -> bool:
        """Whether everything that exists is requested again."""
        return not (self.lost or self.policies)

    @property
    def text(self) -> str:
        """The difference in words."""
        found = []
        if self.gained:
            found.append(f"new features {shorten(self.gained, NAMED)}")
        if self.lost:
            found.append(f"features left out {shorten(self.lost, NAMED)}")
        return "; ".join([*found, *self.policies])


def settings_change(
    settings: Mapping[str, Any],
    policies: Policies,
    record: IntervalRecord,
    interval: Interval | None = None,
) -> SettingsChange:
    """Compare canonical settings, policies and an interval's window with those of a record.

    Features are compared by the columns they produce, regardless of order. Settings for a kind
    replace the general ones.
    """
    before, now = _features(record.settings, settings), _features(settings, record.settings)
    given = asdict(policies)
    sentences = [
        f"{name}={given[name]!r} instead of {value!r}"
        for name, value in record.policies.items()
        if given.get(name) != value
    ]
    if interval is not None and interval.window_start != record.window_start:
        hours = (_hours(one) for one in (interval, record))
        sentences.append("a window of {} instead of {} hours".format(*hours))
    return SettingsChange(
        tuple(sorted(now - before)),
        tuple(sorted(before - now)),
        tuple(sentences),
    )


def _hours(interval: Interval | IntervalRecord) -> str:
    return f"{(interval.end - interval.window_start) / 3_600e9:.4g}"


def _features(settings: Mapping[str, Any], others: Mapping[str, Any]) -> set[str]:
    """The features of every kind that either of the two names, and of all other kinds."""
    return {
        feature_name(None if kind == EVERY_KIND else kind, name, params)
        for kind in {*settings, *others, EVERY_KIND}
        for name, params in settings.get(kind, settings.get(EVERY_KIND, ()))
    }
