"""What calculators cost on the user's own data: exhaustive, scaled from a sample, and printed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.calculators import calculator
from tidemill.calculators.budget import READING
from tidemill.calculators.settings import Settings
from tidemill.cli.main import main
from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.frames import feature_costs as measurement

SETTINGS = {"quantile": [{"q": 0.1}, {"q": 0.9}], "median": None, "mean": None, "maximum": None}
NAMES = {*SETTINGS, "need:sorted", "need:median", "need:moments", "need:extremes", READING}
MILLISECONDS = 2.0

pytestmark = pytest.mark.usefixtures("own_calculators")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(measurement, "REPEAT_SECONDS", 0.1)


def walks(n_ids=40, length=60, kinds=("x",)):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(n_ids), length), "time": np.tile(np.arange(length), n_ids)}
    )
    return frame.assign(**{kind: rng.normal(size=len(frame)).cumsum() for kind in kinds})


def costs_of(frame, settings=SETTINGS, **options):
    return tidemill.feature_costs(frame, settings, column_id="id", column_sort="time", **options)


@dataclass
class Slow:
    """A calculator that knows its cost, however busy the machine is."""

    met: list = field(default_factory=list)  # the first value of each series
    milliseconds: list = field(default_factory=list)  # of each call

    def most(self, calls):
        """Milliseconds that no measurement of so many calls should exceed."""
        return 2 * calls * max(self.milliseconds)


@pytest.fixture
def slow():
    own = Slow()

    @calculator
    def sleeper(values):
        began = time.perf_counter()
        own.met.append(values[0])
        time.sleep(MILLISECONDS / 1e3)
        own.milliseconds.append(1e3 * (time.perf_counter() - began))
        return 0.0

    return own


def test_the_rows_are_all_there_and_add_up():
    costs = costs_of(walks())
    assert list(costs) == [
        "calculator", "seconds", "us_per_series", "share", "saves", "alone", "used_by"
    ]  # fmt: skip
    assert set(costs["calculator"]) == NAMES
    assert costs["share"].sum() == pytest.approx(1)
    assert costs["seconds"].is_monotonic_decreasing
    assert (costs["seconds"] > 0).all()


def test_intermediates_name_their_users():
    costs = costs_of(walks()).set_index("calculator")
    assert costs["used_by"]["need:sorted"] == "quantile"
    assert costs["used_by"]["need:moments"] == "mean"
    assert costs["used_by"]["mean"] == ""


def test_dropping_the_only_user_saves_what_it_needs_too():
    costs = costs_of(walks()).set_index("calculator")
    both = costs["seconds"]["mean"] + costs["seconds"]["need:moments"]
    assert costs["saves"]["mean"] == pytest.approx(both)
    assert np.isnan(costs["saves"]["need:moments"])
    # Without quantiles nothing is sorted, and the median has to be found by itself.
    selected = costs["alone"]["need:median"] - costs["seconds"]["need:median"]
    of_quantiles = costs["seconds"]["quantile"] + costs["seconds"]["need:sorted"] - selected
    assert costs["saves"]["quantile"] == pytest.approx(of_quantiles)


def test_a_known_cost_is_found(slow):
    costs = costs_of(walks(30), {"sleeper": None, "mean": None}).set_index("calculator")
    assert MILLISECONDS <= costs["us_per_series"]["sleeper"] / 1e3 < slow.most(1)
    assert costs["seconds"]["sleeper"] == pytest.approx(
        30 * costs["us_per_series"]["sleeper"] / 1e6
    )
    assert costs["share"]["sleeper"] > 0.5


def test_a_sample_stands_for_all(slow):
    costs = costs_of(walks(400), {"sleeper": None}, sample=7).set_index("calculator")
    assert len(set(slow.met)) == 7
    assert 400 * MILLISECONDS <= 1e3 * costs["seconds"]["sleeper"] < slow.most(400)


def test_long_and_short_series_are_in_the_sample(slow):
    frames = [walks(1, length).assign(id=i) for i, length in enumerate([10] * 50 + [1000] * 50)]
    for number, frame in enumerate(frames):
        frame["x"] = float(len(frame)) + number
    costs_of(pd.concat(frames), {"sleeper": None}, sample=4)
    assert sorted(value < 500 for value in set(slow.met)) == [False, False, True, True]


def test_kinds_with_settings_of_their_own():
    frame = walks(kinds=("x", "y"))
    costs = tidemill.feature_costs(
        frame, {"mean": None}, {"y": {"quantile": [{"q": 0.5}]}}, "id", "time"
    ).set_index("calculator")
    assert set(costs.index) == {"mean", "need:moments", "quantile", "need:sorted", READING}
    n = 40
    assert costs["us_per_series"]["mean"] == pytest.approx(1e6 * costs["seconds"]["mean"] / n)


def test_settings_that_no_kind_uses_cost_nothing():
    settings = Settings.from_any("minimal", {"x": {"mean": None}})
    costs = costs_of(walks(), settings)
    unused = costs.set_index("calculator")["seconds"]["maximum"]
    assert unused == 0
    assert settings.within_budget(costs, seconds=1e3).settings == settings


def test_costs_lead_to_settings_within_a_budget(slow):
    settings = Settings.from_any({"sleeper": None, **SETTINGS})
    costs = costs_of(walks(), settings)
    found = settings.within_budget(costs, seconds=0.5 * costs["seconds"].sum())
    assert list(found.dropped) == ["sleeper"]
    assert found.settings == Settings.from_any(SETTINGS)


def test_presets():
    costs = costs_of(walks(), "minimal")
    assert {name for name, _ in Settings.from_any("minimal").features_for("x")} <= set(
        costs["calculator"]
    )


def test_every_calculator_has_a_row():
    """The default is comprehensive."""
    costs = tidemill.feature_costs(walks(3, 50), column_id="id", column_sort="time")
    assert {name for name, _ in Settings.from_any(None).features_for("x")} <= set(
        costs["calculator"]
    )


def test_a_datetime_index_brings_the_calculators_of_times():
    frame = walks(3).set_index(pd.date_range("2026-01-01", periods=180, freq="h"))
    settings = {"linear_trend_timewise": [{"attr": "slope"}], "mean": None}
    costs = tidemill.feature_costs(frame.drop(columns="time"), settings, column_id="id")
    assert "linear_trend_timewise" in set(costs["calculator"])


ARRAYS = {
    "2-D": np.random.default_rng(1).normal(size=(12, 30)),
    "3-D": np.random.default_rng(1).normal(size=(12, 2, 30)),
    "list": [np.arange(n, dtype=float) for n in (5, 9, 30)],
}


@pytest.mark.parametrize("form", ARRAYS)
def test_arrays(form):
    costs = tidemill.feature_costs(ARRAYS[form], SETTINGS)
    assert set(costs["calculator"]) == NAMES
    assert costs["share"].sum() == pytest.approx(1)


def test_arrays_have_no_columns_and_few_dimensions():
    with pytest.raises(ArgumentError, match="column_id has no meaning for arrays"):
        tidemill.feature_costs(ARRAYS["2-D"], SETTINGS, column_id="id")
    with pytest.raises(SourceError, match=r"arrays have the shape \(9,\)"):
        tidemill.feature_costs(np.arange(9.0), SETTINGS)


def test_bad_data_and_arguments_are_refused_as_ever():
    frame = walks()
    with pytest.raises(ArgumentError, match="sample=0 is not allowed"):
        costs_of(frame, sample=0)
    frame.loc[3, "x"] = np.nan
    with pytest.raises(DataError):
        costs_of(frame)
    assert set(costs_of(frame, on_nan="omit")["calculator"]) == NAMES


# Files


@pytest.fixture(params=["clustered", "by time", "csv"])
def path(request, tmp_path):
    frame = walks(50, kinds=("x", "y"))
    if request.param == "by time":
        frame = frame.sort_values(["time", "id"])
    if request.param == "csv":
        frame.to_csv(tmp_path / "input.csv", index=False)
        return tmp_path / "input.csv"
    frame.to_parquet(tmp_path / "input.parquet", index=False, row_group_size=600)
    return tmp_path / "input.parquet"


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["tidemill", "costs", *map(str, arguments)])
    main()
    return capsys.readouterr().out


OPTIONS = ("--column-id=id", "--column-sort=time")


def test_the_command_prints_a_table(path, tmp_path, capsys, monkeypatch):
    file = tmp_path / "settings.yaml"
    Settings.from_any(SETTINGS).to_yaml(file)
    before = set(tmp_path.iterdir())
    said = run(capsys, monkeypatch, path, *OPTIONS, f"--settings={file}", "--sample=9")
    head, _, titles, *rows = said.splitlines()
    assert "measured on 9 of 50 ids and 540 of 3,000 rows, by one thread" in head
    assert titles.split() == ["calculator", "us", "per", "series", "share"]
    table = [line.rsplit(maxsplit=2) for line in rows[: len(NAMES)]]
    assert {name for name, _, _ in table} == NAMES
    micros = [float(us) for _, us, _ in table]
    assert micros == sorted(micros, reverse=True)
    assert sum(float(share.rstrip("%")) for _, _, share in table) == pytest.approx(100, abs=0.1)
    assert "need:sorted          quantile" in said
    assert set(tmp_path.iterdir()) == before


def test_the_command_prints_json(path, capsys, monkeypatch):
    said = run(capsys, monkeypatch, path, *OPTIONS, "--settings=minimal", "--json")
    rows = json.loads(said, parse_constant=pytest.fail)
    costs = pd.DataFrame(rows)
    assert costs["share"].sum() == pytest.approx(1)
    settings = Settings.from_any("minimal")
    assert settings.within_budget(costs, seconds=1e6).settings == settings


def test_a_sample_of_a_file_is_whole_series(path, monkeypatch):
    from tidemill.planning.request import make_request

    seen = []
    monkeypatch.setattr(measurement, "cost_table", lambda *arguments: seen.append(arguments[2]))
    request = make_request(path, "nowhere", column_id="id", column_sort="time", settings="minimal")
    measurement.file_costs(request, 6)
    (data,) = seen
    assert len(data.batch.ids) == 6
    assert data.batch.blocks["x"].lengths.tolist() == [60] * 6
    assert data.factor == pytest.approx(50 / 6)
    assert data.series == {"x": pytest.approx(50), "y": pytest.approx(50)}
    expected = walks(50, kinds=("x", "y")).set_index("id")["y"]
    for i, number in enumerate(data.batch.ids.to_pylist()):
        block = data.batch.blocks["y"].cut(i, i + 1)
        values = block.values[block.starts[0] : block.stops[0]]  # noqa: PD011 (no frame)
        np.testing.assert_allclose(values, expected[number].to_numpy())


def test_text_ids_and_long_tables(tmp_path, capsys, monkeypatch):
    frame = walks(20, kinds=("x", "y")).melt(["id", "time"], var_name="kind", value_name="value")
    frame["id"] = "machine " + frame["id"].astype(str)
    frame.to_parquet(tmp_path / "long.parquet", index=False)
    options = (*OPTIONS, "--column-kind=kind", "--column-value=value", "--settings=minimal")
    said = run(capsys, monkeypatch, tmp_path / "long.parquet", *options, "--sample=4")
    assert "measured on 4 of 20 ids and 480 of 2,400 rows" in said


def test_wrong_files_and_samples_are_refused(command, path):
    code, said = command("costs", path, "--column-id=ip", "--settings=minimal")
    assert (code, "nearest: 'id'" in said) == (1, True)
    code, said = command("costs", path, *OPTIONS, "--sample=0", "--settings=minimal")
    assert (code, "sample=0 is not allowed" in said) == (1, True)
