"""Read and write plans as JSON text, which every process of a run reads.

Whatever can be derived from the settings is not written: the features to calculate, and the columns
of published rows that stay.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tidemill.calculators.settings import Settings
from tidemill.model.interval import Interval
from tidemill.model.plan import GroupSpan, Kept, KeptFile, Part, Plan
from tidemill.model.policies import Policies
from tidemill.model.source import (
    BadFile,
    ColumnRoles,
    Reading,
    Source,
    SourceFile,
    Window,
)
from tidemill.planning.features import features_left
from tidemill.storage.sealed import seal, unseal

__all__ = ["interval_of_plan", "modules_of_plan", "plan_from_json", "plan_to_json"]


def plan_to_json(plan: Plan) -> str:
    """The plan as JSON text, sealed with a checksum."""
    raw = asdict(plan)
    del raw["features"]
    if raw["kept"] is not None:
        del raw["kept"]["columns"]
    return seal(raw).decode()


def plan_from_json(text: str | bytes) -> Plan:
    """Read back what :func:`plan_to_json` wrote; its custom calculators have to be registered.

    Raises
    ------
    ValueError, TypeError, KeyError
        If the text is not a plan, or was damaged or edited.
    SettingsError
        If a calculator is not known here.
    """
    raw = unseal(text)
    source = raw["source"] = _source(raw["source"])
    raw["policies"] = Policies(**raw["policies"])
    raw["interval"] = Interval(**raw["interval"]) if raw.get("interval") else None
    raw["parts"] = tuple(_part(part) for part in raw["parts"])
    kept = raw["kept"] = _kept(raw["kept"], source) if raw.get("kept") else None
    for name in ("columns", "modules"):
        raw[name] = tuple(raw[name])
    settings = Settings.from_any(raw["settings"])
    raw["features"] = features_left(settings, source.kinds, kept.columns if kept else ())
    return Plan(**raw)


def modules_of_plan(text: str | bytes) -> tuple[str, ...]:
    """Modules that register the custom calculators of a plan; no more of the plan is read."""
    return tuple(unseal(text).get("modules", ()))


def interval_of_plan(text: str | bytes) -> Interval | None:
    """The interval of a plan, without reading the rest of it."""
    raw = unseal(text).get("interval")
    return Interval(**raw) if raw else None


def _source(raw: dict[str, Any]) -> Source:
    raw["files"] = tuple(_source_file(file) for file in raw["files"])
    raw["lacking"] = tuple(raw.get("lacking", ()))
    raw["reading"] = _reading(raw.get("reading", {}))
    raw["bad_files"] = tuple(BadFile(**file) for file in raw.get("bad_files", ()))
    columns = raw["columns"]
    names = {"id": _one_or_several(columns["id"]), "values": tuple(columns["values"])}
    raw["columns"] = ColumnRoles(**{**columns, **names})
    raw["id_type"] = _one_or_several(raw["id_type"])
    raw["kinds"] = tuple(raw["kinds"])
    raw["window"] = Window(**raw["window"]) if raw.get("window") else None
    return Source(**raw)


def _source_file(raw: dict[str, Any]) -> SourceFile:
    constants = tuple((name, value) for name, value in raw.get("constants", ()))
    return SourceFile(**{**raw, "constants": constants})


def _reading(raw: dict[str, Any]) -> Reading:
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in raw.items()}
    return Reading(**values)


def _one_or_several(value: str | list[str]) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(value)


def _kept(raw: dict[str, Any], source: Source) -> Kept:
    files = tuple(KeptFile(**file) for file in raw["files"])
    columns = Settings.from_any(raw["settings"]).columns(source.kinds)
    return Kept(**{**raw, "files": files, "columns": columns})


def _part(raw: dict[str, Any]) -> Part:
    return Part(**{**raw, "spans": tuple(GroupSpan(**span) for span in raw["spans"])})
