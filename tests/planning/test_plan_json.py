"""Plans survive JSON: nothing is lost, and what follows from the settings is made again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tidemill.calculators.settings import Settings
from tidemill.model.interval import Interval
from tidemill.model.plan import GroupSpan, Kept, KeptFile, Part, Plan
from tidemill.model.policies import Policies
from tidemill.model.source import ColumnRoles, Source, SourceFile, Window
from tidemill.planning.features import features_left
from tidemill.planning.plan_json import interval_of_plan, plan_from_json, plan_to_json
from tidemill.planning.prepare import prepare
from tidemill.storage.sealed import unseal

from ..support.daily import DAYS, request

CANONICAL = Settings.from_any({"mean": None, "maximum": None}).canonical()
SOURCE = Source(
    url="/in", format="parquet", files=(SourceFile("a.parquet", 9, "1", "ab", 40, 2),),
    columns=ColumnRoles("id", "time", None, ("x",)), id_type="int64", kinds=("x",),
    storage_options={"aws_region": "REGION"}, fingerprint="f",
)  # fmt: skip
PARTS = (
    Part(0, None, 3, (GroupSpan(0, 0, 1),), 20, 3, 480, 0.5),
    Part(1, 3, None, (GroupSpan(0, 1, 2), GroupSpan(1, 0, 1)), 20, 3, 480, 0.25),
)


def plan_of(source=SOURCE, kept=None, **more):
    settings = Settings.from_any(CANONICAL)
    features = features_left(settings, source.kinds, kept.columns if kept else ())
    columns = settings.columns(source.kinds)
    plan = Plan("key", source, CANONICAL, Policies(), "clustered", PARTS, columns, features)
    return replace(plan, kept=kept, **more)


PAIR = replace(
    SOURCE,
    columns=ColumnRoles(("plant", "sensor"), "time", "kind", ("value",)),
    id_type=("string", "int64"),
    kinds=("x", "y"),
    window=Window(0, 10, "us"),
)
KEPT = Kept(
    "run-1", "old", "digest", Settings.from_any({"mean": None}).canonical(),
    (KeptFile("part-0.parquet", 0, 4), KeptFile("part-1.parquet")), ("x__mean",), 3,
)  # fmt: skip


@pytest.mark.parametrize(
    "plan",
    [
        plan_of(),
        plan_of(PAIR, modules=("mine",), versions={"numpy": "2"}),
        plan_of(interval=Interval(0, 10, -10), checks={"rows_drop": {"fail": 0.5}, "nan_rise": {}}),
        plan_of(kept=KEPT),
        plan_of(policies=Policies(on_nan="omit", on_error="nan"), layout="spilled"),
    ],
    ids=["plain", "pair", "interval", "kept", "policies"],
)
def test_a_plan_is_the_same_afterwards(plan):
    text = plan_to_json(plan)
    assert plan_from_json(text) == plan_from_json(text.encode()) == plan
    assert interval_of_plan(text) == plan.interval


def test_a_prepared_plan_is_the_same_afterwards(source, table):
    plan, _ = prepare(request(source, table, DAYS[1]))
    assert plan_from_json(plan_to_json(plan)) == plan


def test_what_follows_from_the_settings_is_not_written():
    raw = unseal(plan_to_json(plan_of(kept=KEPT)))
    assert "features" not in raw
    assert "columns" not in raw["kept"]
    assert raw["columns"] == ["x__mean", "x__maximum"]
    assert plan_from_json(json.dumps(raw)).features == {"x": (("maximum", {}),)}


def test_fields_that_older_plans_lack_may_be_missing():
    raw = unseal(plan_to_json(plan_of()))
    for name in ("interval", "kept", "checks", "versions"):
        del raw[name]
    del raw["source"]["window"]
    assert plan_from_json(json.dumps(raw)) == plan_of()
    assert interval_of_plan(json.dumps(raw)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"source": {}}'])
def test_a_text_that_is_no_plan_is_refused(text):
    with pytest.raises((ValueError, TypeError, KeyError)):
        plan_from_json(text)


def test_a_field_that_is_not_known_is_refused():
    raw = unseal(plan_to_json(plan_of()))
    with pytest.raises(TypeError, match="future"):
        plan_from_json(json.dumps({**raw, "future": 1}))
