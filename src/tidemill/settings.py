"""Settings: which calculators with which parameters, for all kinds or kind by kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tidemill.calculators.registry import PRESETS, find, preset, register_function
from tidemill.columns import check_kinds, check_width, feature_name, parse
from tidemill.errors import SettingsError, shorten

__all__ = ["Feature", "Settings"]

#: A calculator's name and its parameters.
Feature = tuple[str, Mapping[str, Any]]
#: Key of the canonical form for all kinds that are not named.
EVERY_KIND = "*"


@dataclass(frozen=True, slots=True)
class Settings:
    """Features for every kind, and other ones for the kinds that are named.

    Make them with :meth:`from_any`.

    Examples
    --------
    >>> settings = Settings.from_any({"quantile": [{"q": 0.1}, {"q": 0.9}], "mean": None})
    >>> settings.columns(["x"])
    ('x__quantile__q_0.1', 'x__quantile__q_0.9', 'x__mean')
    """

    default: tuple[Feature, ...]  # for the kinds that are not named
    kinds: Mapping[str, tuple[Feature, ...]] = field(default_factory=dict)

    @classmethod
    def from_any(cls, given: Any = None, kind_to: Mapping[str, Any] | None = None) -> Settings:
        """Settings from whatever describes them.

        Parameters
        ----------
        given
            A preset's name, the path of a ``.json`` or ``.yaml`` file, a mapping
            {calculator: list of parameters or None} in tsfresh's form (its own settings objects
            included; a key may be a function), the canonical form, Settings, or None:
            comprehensive, unless ``kind_to`` is given.
        kind_to
            The same for single kinds: {kind: ...}. As in tsfresh, kinds that are not named get
            no features if ``given`` is None.

        Raises
        ------
        SettingsError
            If a calculator or parameter does not exist, or nothing is selected.

        Examples
        --------
        >>> len(Settings.from_any("minimal").features_for("x"))
        10
        """
        if isinstance(given, Settings) and not kind_to:
            return given
        if given is None and kind_to:
            base = cls(())
        else:
            base = _read(cls, "comprehensive" if given is None else given)
        kinds = {**base.kinds, **{str(k): _features(v) for k, v in (kind_to or {}).items()}}
        return cls(base.default, kinds).checked()

    def checked(self) -> Settings:
        """These settings, once they are seen to select something for kinds that can be named.

        Raises
        ------
        SettingsError
            If nothing is selected.
        ArgumentError
            If a kind contains ``__``.
        """
        check_kinds(self.kinds)
        if not self.default and not any(self.kinds.values()):
            raise SettingsError(
                f"the settings select no feature; name a preset ({shorten(PRESETS)}) or calculators"
            )
        return Settings(self.default, dict(self.kinds))

    def features_for(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """The features of a kind, in the order of its columns.

        Examples
        --------
        >>> Settings.from_any({"mean": None}).features_for("x")
        [('mean', {})]
        """
        features = self.kinds.get(kind, self.default)
        return [(name, dict(params)) for name, params in features]

    def columns(self, kinds: Iterable[str]) -> tuple[str, ...]:
        """The feature columns of these kinds.

        Raises
        ------
        ArgumentError
            If there are more than 20,000, or a kind contains ``__``.
        SettingsError
            If the kinds get no feature at all, or a kind with settings of its own is missing.

        Examples
        --------
        >>> Settings.from_any({"mean": None}).columns(["a", "b"])
        ('a__mean', 'b__mean')
        """
        listed = list(kinds)
        self.check_kinds(listed)
        check_width(sum(len(self.kinds.get(kind, self.default)) for kind in listed))
        return tuple(
            feature_name(kind, name, params)
            for kind in listed
            for name, params in self.kinds.get(kind, self.default)
        )

    def check_kinds(self, kinds: Sequence[str]) -> None:
        """Refuse kinds these settings cannot serve; see :meth:`columns`."""
        check_kinds(kinds)
        absent = [kind for kind in self.kinds if kind not in kinds]
        if absent:
            raise SettingsError(
                f"settings are given for kind {shorten(map(repr, absent))}, which the input does "
                f"not have; it has {shorten(map(repr, kinds))}"
            )
        if not any(self.kinds.get(kind, self.default) for kind in kinds):
            raise SettingsError(
                f"the settings select no feature for the kinds {shorten(map(repr, kinds))}"
            )

    def needs_times(self, kinds: Iterable[str]) -> bool:
        """Whether a feature of these kinds looks at the time stamps."""
        return any(
            find(name).needs_times
            for kind in kinds
            for name, _ in self.kinds.get(kind, self.default)
        )

    def without_times(self) -> Settings:
        """These settings without calculators that look at time stamps.

        tsfresh leaves them out in silence where the index is not one of datetimes.
        """

        def kept(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
            return tuple(feature for feature in features if not find(feature[0]).needs_times)

        return Settings(
            kept(self.default), {kind: kept(features) for kind, features in self.kinds.items()}
        ).checked()

    def canonical(self) -> dict[str, list[list[Any]]]:
        """The JSON-able form that a plan stores and a result key hashes.

        It keeps the order of the features and sorts the names of parameters and of kinds.

        Examples
        --------
        >>> Settings.from_any({"quantile": [{"q": 0.5}]}).canonical()
        {'*': [['quantile', {'q': 0.5}]]}
        """
        by_kind: dict[str, tuple[Feature, ...]] = {k: self.kinds[k] for k in sorted(self.kinds)}
        if self.default:
            by_kind = {EVERY_KIND: self.default, **by_kind}
        return {
            kind: [
                [name, {key: _jsonable(params[key]) for key in sorted(params)}]
                for name, params in features
            ]
            for kind, features in by_kind.items()
        }

    def to_json(self) -> str:
        """The canonical form as JSON text.

        Examples
        --------
        >>> Settings.from_any({"mean": None}).to_json()
        '{"*": [["mean", {}]]}'
        """
        return json.dumps(self.canonical())

    def to_yaml(self) -> str:
        """The canonical form as YAML text.

        Examples
        --------
        >>> print(Settings.from_any({"mean": None}).to_yaml())
        '*':
        - - mean
          - {}
        <BLANKLINE>
        """
        return yaml.safe_dump(self.canonical(), sort_keys=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Settings:
        """Read JSON text: the canonical form, tsfresh's form or a preset's name.

        Raises
        ------
        SettingsError
            If the text is no JSON or no settings.

        Examples
        --------
        >>> Settings.from_json('{"quantile": [{"q": 0.5}]}').features_for("x")
        [('quantile', {'q': 0.5})]
        """
        return _parsed(cls, json.loads, text, "JSON")

    @classmethod
    def from_yaml(cls, text: str | bytes) -> Settings:
        """Read YAML text: the canonical form, tsfresh's form or a preset's name.

        Raises
        ------
        SettingsError
            If the text is no YAML or no settings.

        Examples
        --------
        >>> Settings.from_yaml("mean:").features_for("x")
        [('mean', {})]
        """
        return _parsed(cls, yaml.safe_load, text, "YAML")

    @classmethod
    def from_columns(cls, columns: Iterable[str], ignore: Iterable[str] = ()) -> Settings:
        """The settings that give these feature columns, kind by kind.

        Raises
        ------
        SettingsError
            If a column is not a feature column, or its calculator does not exist.

        Examples
        --------
        >>> Settings.from_columns(["x__mean", "y__quantile__q_0.5"]).canonical()
        {'x': [['mean', {}]], 'y': [['quantile', {'q': 0.5}]]}
        """
        ignored = set(ignore)
        kinds: dict[str, list[Feature]] = {}
        for column in columns:
            if column not in ignored:
                kind, name, params = parse(column)
                kinds.setdefault(kind, []).append((name, find(name).check(params)))
        return cls((), {kind: _unique(features) for kind, features in kinds.items()}).checked()


def _read(cls: type[Settings], given: Any) -> Settings:
    if isinstance(given, Settings):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and given not in PRESETS):
        return _read_file(cls, Path(given))
    if isinstance(given, Mapping) and _is_canonical(given):
        by_kind = {str(kind): _features(features) for kind, features in given.items()}
        return cls(by_kind.pop(EVERY_KIND, ()), by_kind)
    return cls(_features(given))


def _read_file(cls: type[Settings], path: Path) -> Settings:
    readers = {".json": cls.from_json, ".yaml": cls.from_yaml, ".yml": cls.from_yaml}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SettingsError(
            f"settings={str(path)!r} is neither a preset ({shorten(PRESETS)}) "
            f"nor a file that ends in {shorten(readers)}"
        )
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"settings file {str(path)!r} cannot be read: {error}") from None
    return reader(text)


def _parsed(
    cls: type[Settings], reader: Callable[[str | bytes], Any], text: str | bytes, form: str
) -> Settings:
    try:
        raw = reader(text)
    except (ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"the settings are not valid {form}: {error}") from None
    if not isinstance(raw, Mapping) and raw not in PRESETS:
        raise SettingsError(
            f"the settings are {type(raw).__name__}, not a mapping from calculators to lists of "
            f"parameters or a preset's name ({shorten(PRESETS)})"
        )
    return cls.from_any(raw)


def _is_canonical(given: Mapping[Any, Any]) -> bool:
    """{kind: [[calculator, parameters], ...]}, against {calculator: [parameters, ...]}."""

    def pairs(value: Any) -> bool:
        return isinstance(value, Sequence) and all(
            isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 2
            for item in value
        )

    return EVERY_KIND in given or (
        bool(given) and all(pairs(value) and len(value) > 0 for value in given.values())
    )


def _features(given: Any) -> tuple[Feature, ...]:
    """Checked features from a preset's name, tsfresh's mapping or a list of pairs."""
    if isinstance(given, str):
        return tuple(preset(given))
    if isinstance(given, Mapping):
        pairs = [
            (_name(key), params) for key, value in given.items() for params in _combinations(value)
        ]
    elif isinstance(given, Sequence):
        pairs = [_pair(item) for item in given]
    else:
        raise SettingsError(
            f"settings of type {type(given).__name__} cannot be used; give a preset's name "
            f"({shorten(PRESETS)}), a file, or a mapping from calculators to lists of parameters"
        )
    return _unique((name, find(name).check(params)) for name, params in pairs)


def _name(key: Any) -> str:
    return register_function(key).name if callable(key) else str(key)


def _combinations(value: Any) -> list[Mapping[str, Any]]:
    if value is None:
        return [{}]
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and all(isinstance(item, Mapping) for item in value):
        return list(value)
    raise SettingsError(
        f"parameters {value!r} are not allowed; give a list with one mapping per feature, or null"
    )


def _pair(item: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 2:
        name, params = item
        if isinstance(params, Mapping) or params is None:
            return _name(name), params or {}
    raise SettingsError(f"feature {item!r} is not a pair of a calculator and its parameters")


def _unique(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """The features without repetitions, by the names of their columns."""
    return tuple({feature_name(None, *feature): feature for feature in features}.values())


def _jsonable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise SettingsError(
        f"parameter value {value!r} cannot be written as JSON; give a number, text or list"
    )
