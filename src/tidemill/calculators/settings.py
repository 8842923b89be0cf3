"""Settings: which calculators with which parameters, for all kinds or kind by kind."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tidemill.calculators.budget import fit
from tidemill.calculators.registry import PRESETS, find
from tidemill.calculators.settings_formats import (
    EVERY_KIND,
    is_canonical,
    plain_features,
    read_features,
    unique,
    write_text,
    yaml_text,
)
from tidemill.errors import SettingsError, shorten
from tidemill.model.aliases import Feature
from tidemill.model.documents import parse_json, parse_yaml, read_document
from tidemill.model.feature_names import check_kinds, check_width, feature_name, parse

__all__ = ["Settings", "WithinBudget"]

#: Endings of settings files.
JSON, YAML = (".json",), (".yaml", ".yml")


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
    _names: dict[str | None, tuple[str, ...]] = (
        field(  # of columns without the kind, once asked for
            default_factory=dict, init=False, repr=False, compare=False
        )
    )

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
        kinds = {**base.kinds, **{str(k): read_features(v) for k, v in (kind_to or {}).items()}}
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
            If there are more than 250,000, or a kind contains ``__``.
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
        return tuple(f"{kind}__{name}" for kind in listed for name in self._names_for(kind))

    def _names_for(self, kind: str) -> tuple[str, ...]:
        """The columns of a kind without its name; None stands for all kinds that are not named."""
        key = kind if kind in self.kinds else None
        if key not in self._names:
            features = self.kinds.get(kind, self.default)
            self._names[key] = tuple(feature_name(None, *feature) for feature in features)
        return self._names[key]

    def check_kinds(self, kinds: Sequence[str]) -> None:
        """Refuse kinds these settings cannot serve; see :meth:`columns`."""
        check_kinds(kinds)
        known = set(kinds)
        absent = [kind for kind in self.kinds if kind not in known]
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

    def within_budget(self, costs: Any, *, seconds: float) -> WithinBudget:
        """These settings without the most expensive calculators, so that the rest fits.

        One calculator after the other is dropped, from all kinds: the one whose end saves most.
        What several share (``need:`` rows) goes with the last calculator that needs it. At the end
        whatever still fits is put back, so that no dropped calculator would fit beside the rest.

        Parameters
        ----------
        costs
            What :func:`tidemill.feature_costs` returned for these settings, or the
            ``seconds_by_calculator`` of a run's summary (reading then does not count).
        seconds
            That one thread may take for the data whose costs these are.

        Returns
        -------
        WithinBudget
            ``settings``, ``dropped`` (calculator -> seconds of its own) and ``seconds``
            (predicted). Where kinds have settings of their own, an intermediate counts in full
            until no kind needs it: the prediction is then rather too high than too low.

        Raises
        ------
        ArgumentError
            If ``seconds`` does not suffice for a single calculator, or ``costs`` are those of
            other settings.

        Examples
        --------
        >>> settings = Settings.from_any({"mean": None, "quantile": [{"q": 0.1}]})
        >>> costs = {"mean": 1.0, "quantile": 2.0, "need:moments": 1.0, "need:sorted": 6.0}
        >>> print(settings.within_budget(costs, seconds=3))
        dropped: quantile (2 s); 2 s predicted for the rest
        """
        features = [*self.default, *(one for own in self.kinds.values() for one in own)]
        dropped, predicted = fit(features, costs, seconds)
        return WithinBudget(self._without(dropped), dropped, predicted)

    def _without(self, names: Collection[str]) -> Settings:
        def rest(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
            return tuple(feature for feature in features if feature[0] not in names)

        kinds = {kind: rest(features) for kind, features in self.kinds.items()}
        return Settings(rest(self.default), kinds)

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
        return {kind: plain_features(features) for kind, features in by_kind.items()}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The canonical form as JSON text, written to a file as well if ``path`` is given.

        The file serves as ``--settings`` of the command and as ``settings`` of the flow.

        Raises
        ------
        ArgumentError
            If ``path`` does not end in ``.json``.

        Examples
        --------
        >>> Settings.from_any({"mean": None}).to_json()
        '{"*": [["mean", {}]]}'
        """
        text = json.dumps(self.canonical())
        if path is not None:
            write_text(text, path, JSON)
        return text

    def to_yaml(self, path: str | os.PathLike[str] | None = None) -> str:
        """The canonical form as YAML text, written to a file as well if ``path`` is given.

        The file serves as ``--settings`` of the command and as ``settings`` of the flow.

        Raises
        ------
        ArgumentError
            If ``path`` does not end in ``.yaml`` or ``.yml``.

        Examples
        --------
        >>> print(Settings.from_columns(["x__mean", "x__quantile__q_0.5"]).to_yaml(), end="")
        x:
        - [mean, {}]
        - [quantile, {q: 0.5}]
        """
        text = yaml_text(self.canonical())
        if path is not None:
            write_text(text, path, YAML)
        return text

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
        return _parsed(cls, parse_json, text, "JSON")

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
        return _parsed(cls, parse_yaml, text, "YAML")

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
        return cls((), {kind: unique(features) for kind, features in kinds.items()}).checked()


class WithinBudget(NamedTuple):
    """Settings that fit into a budget, and what was dropped from them.

    ``print`` shows a one-line summary.
    """

    settings: Settings
    dropped: dict[str, float]  # calculator -> seconds of its own; the first to go comes first
    seconds: float  # predicted for the settings, of one thread

    def __str__(self) -> str:
        """Say what was dropped, and what is left."""
        lost = shorten(f"{name} ({seconds:.3g} s)" for name, seconds in self.dropped.items())
        return f"dropped: {lost or 'nothing'}; {self.seconds:.3g} s predicted for the rest"


def _read(cls: type[Settings], given: Any) -> Settings:
    if isinstance(given, Settings):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and given not in PRESETS):
        return _read_file(cls, Path(given).expanduser())
    if isinstance(given, Mapping) and is_canonical(given):
        by_kind = _by_kind(given)
        return cls(by_kind.pop(EVERY_KIND, ()), by_kind)
    return cls(read_features(given))


def _by_kind(given: Mapping[Any, Any]) -> dict[str, tuple[Feature, ...]]:
    by_kind: dict[str, tuple[Feature, ...]] = {}
    for kind, features in given.items():
        if str(kind) in by_kind:  # in YAML, 1 and "1" are two keys
            raise SettingsError(f"kind {str(kind)!r} is given twice; keep one of the two")
        by_kind[str(kind)] = read_features(features)
    return by_kind


def _read_file(cls: type[Settings], path: Path) -> Settings:
    readers = {**dict.fromkeys(JSON, cls.from_json), **dict.fromkeys(YAML, cls.from_yaml)}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SettingsError(
            f"settings={str(path)!r} is neither a preset ({shorten(PRESETS)}) "
            f"nor a file that ends in {shorten(readers)}"
        )
    try:
        text = read_document(path)
    except OSError as error:
        raise SettingsError(f"settings file {str(path)!r} cannot be read: {error}") from None
    return reader(text)


def _parsed(
    cls: type[Settings], reader: Callable[[str | bytes], Any], text: str | bytes, form: str
) -> Settings:
    try:
        raw = reader(text)
    except ValueError as error:
        raise SettingsError(f"the settings are not valid {form}: {error}") from None
    if not isinstance(raw, Mapping) and raw not in PRESETS:
        raise SettingsError(
            f"the settings are {type(raw).__name__}, not a mapping from calculators to lists of "
            f"parameters or a preset's name ({shorten(PRESETS)})"
        )
    return cls.from_any(raw)
