"""The forms in which settings are given and written: tsfresh's mapping, pairs, JSON and YAML."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tidemill.calculators.registry import PRESETS, find, preset, register_function
from tidemill.errors import ArgumentError, SettingsError, shorten
from tidemill.model.aliases import Feature
from tidemill.model.feature_names import feature_name

__all__ = [
    "COMBINERS",
    "EVERY_KIND",
    "is_canonical",
    "plain_features",
    "read_features",
    "unique",
    "write_text",
    "yaml_text",
]

#: Calculators that tsfresh calls once with all their parameters: an empty list gives no feature.
#: It calls all others without any for an empty list, as for None.
COMBINERS = frozenset(
    (
        "agg_autocorrelation",
        "agg_linear_trend",
        "ar_coefficient",
        "augmented_dickey_fuller",
        "cwt_coefficients",
        "energy_ratio_by_chunks",
        "fft_aggregated",
        "fft_coefficient",
        "friedrich_coefficients",
        "index_mass_quantile",
        "linear_trend",
        "linear_trend_timewise",
        "partial_autocorrelation",
        "query_similarity_count",
        "spkt_welch_density",
        "symmetry_looking",
    )
)
#: Key of the canonical form for all kinds that are not named.
EVERY_KIND = "*"


def is_canonical(given: Mapping[Any, Any]) -> bool:
    """{kind: [[calculator, parameters], ...]}, against {calculator: [parameters, ...]}."""

    def pairs(value: Any) -> bool:
        return isinstance(value, Sequence) and all(
            isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 2
            for item in value
        )

    return EVERY_KIND in given or (any(given.values()) and all(map(pairs, given.values())))


def read_features(given: Any) -> tuple[Feature, ...]:
    """Checked features from a preset's name, tsfresh's mapping or a list of pairs."""
    if isinstance(given, str):
        return tuple(preset(given))
    if isinstance(given, Mapping):
        pairs = [
            (name, params)
            for name, value in ((_name(key), value) for key, value in given.items())
            for params in _combinations(name, value)
        ]
    elif isinstance(given, Sequence):
        pairs = [_pair(item) for item in given]
    else:
        raise SettingsError(
            f"settings of type {type(given).__name__} cannot be used; give a preset's name "
            f"({shorten(PRESETS)}), a file, or a mapping from calculators to lists of parameters"
        )
    return unique((name, find(name).check(params)) for name, params in pairs)


def _name(key: Any) -> str:
    return register_function(key).name if callable(key) else str(key)


def _combinations(name: str, value: Any) -> list[Mapping[str, Any]]:
    if value is None or (_is_empty(value) and name not in COMBINERS and not _is_combiner(name)):
        return [{}]
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and all(isinstance(item, Mapping) for item in value):
        return list(value)
    raise SettingsError(
        f"parameters {value!r} are not allowed; give a list with one mapping per feature, or null"
    )


def _is_empty(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and not value


def _is_combiner(name: str) -> bool:
    """Whether it is a custom one, whose parameters are not declared."""
    return find(name).any_parameters


def _pair(item: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 2:
        name, params = item
        if isinstance(params, Mapping) or params is None:
            return _name(name), params or {}
    raise SettingsError(f"feature {item!r} is not a pair of a calculator and its parameters")


def unique(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """The features without repetitions, by the names of their columns."""
    return tuple({feature_name(None, *feature): feature for feature in features}.values())


def plain_features(features: Iterable[Feature]) -> list[list[Any]]:
    """The features as pairs of JSON values, with the names of parameters sorted.

    JSON has no infinity and no NaN: such a parameter becomes the text that columns have for it.

    Raises
    ------
    SettingsError
        If a parameter is neither number, text nor list.

    Examples
    --------
    >>> plain_features([("range_count", {"min": -math.inf, "max": 0})])
    [['range_count', {'max': 0, 'min': '-inf'}]]
    """
    return [
        [name, {key: _plain(params[key], _is_custom(name)) for key in sorted(params)}]
        for name, params in features
    ]


def _is_custom(name: str) -> bool:
    """Whether parameters come back as they were written, because their types are not declared."""
    return find(name).function is not None


def _plain(value: Any, is_custom: bool) -> Any:  # noqa: FBT001 (private)
    if isinstance(value, (list, tuple)):
        return [_plain(item, is_custom) for item in value]
    if isinstance(value, float) and not (math.isfinite(value) or is_custom):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise SettingsError(
        f"parameter value {value!r} cannot be written as JSON; give a number, text or list"
    )


def yaml_text(canonical: Mapping[str, Sequence[Any]]) -> str:
    """The canonical form as YAML, with one line for each feature.

    Examples
    --------
    >>> print(yaml_text({"x": [["mean", {}], ["quantile", {"q": 0.5}]]}), end="")
    x:
    - [mean, {}]
    - [quantile, {q: 0.5}]
    """
    lines = {kind: [_Line(pair) for pair in pairs] for kind, pairs in canonical.items()}
    return yaml.dump(lines, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)


class _Line(list[Any]):
    """A list that is written in one line."""


class _Dumper(yaml.SafeDumper):
    """Writes a :class:`_Line` as such."""


def _one_line(dumper: yaml.SafeDumper, line: _Line) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", line, flow_style=True)


_Dumper.add_representer(_Line, _one_line)


def write_text(text: str, path: str | os.PathLike[str], endings: Sequence[str]) -> None:
    """Write a settings file, whose ending must name its format.

    Raises
    ------
    ArgumentError
        If it does not: the file could not be read as settings.
    """
    file = Path(path)
    if file.suffix.lower() not in endings:
        raise ArgumentError(
            f"path={str(path)!r} is not allowed; let it end in {' or '.join(endings)}, which "
            "says how a settings file is to be read"
        )
    file.write_text(text, encoding="utf-8")
