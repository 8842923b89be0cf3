"""Calculators that users write."""

from __future__ import annotations

import asyncio
import functools
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from tidemill.calculators import CALCULATORS, Failure, Program, calculator, registry
from tidemill.calculators.custom import MESSAGE_LENGTH, failure_message
from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, CalculationError, SettingsError
from tidemill.model.series import SeriesBlock

HOUR = 3_600_000_000_000


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    before = dict(registry._known)
    yield
    registry._known.clear()
    registry._known.update(before)


def _run(features, on_error="raise"):
    block = SeriesBlock(
        "x",
        np.array([1.0, 2.0, 4.0, 8.0, 7.0]),
        np.array([0, 3, 5]),
        np.array([3, 5, 5]),
        np.arange(5) * HOUR,
    )
    program = Program(features, on_error)
    out = np.zeros((3, len(program.columns)))
    return program, out, program.calculate(block, out)


def test_a_plain_function_with_parameters():
    @calculator
    def spread(values, factor=2.0):
        """The spread."""
        return factor * (values.max() - values.min())

    program, out, _ = _run([("mean", {}), ("spread", {"factor": 3}), ("spread", {})])
    assert program.columns == ("mean", "spread__factor_3", "spread")
    np.testing.assert_array_equal(out[:, 1:], [[9, 6], [3, 2], [np.nan, np.nan]])
    assert CALCULATORS["spread"].summary == "The spread."


def test_times_reach_the_function():
    @calculator(name="hours", needs=("times",))
    def lasting(values, times):
        return (times[-1] - times[0]) / HOUR

    program, out, _ = _run([("hours", {})])
    assert program.needs_times
    np.testing.assert_array_equal(out[:2, 0], [2, 1])


def test_tsfresh_style_functions_work_as_they_are():
    def shifted(x, by):
        return x[0] + by

    def several(x, param):
        return [(f"n_{p['n']}", x.sum() * p["n"]) for p in param]

    def indexed(x):
        assert isinstance(x, pd.Series)
        return x.index[0].hour

    shifted.fctype = indexed.fctype = "simple"
    several.fctype = "combiner"
    indexed.input = "pd.Series"
    indexed.index_type = pd.DatetimeIndex
    settings = Settings.from_any(
        {shifted: [{"by": 1}], several: [{"n": 2}, {"n": 3}], indexed: None, "length": None}
    )
    program, out, _ = _run(settings.features_for("x"))
    assert program.columns == ("shifted__by_1", "several__n_2", "several__n_3", "indexed", "length")
    np.testing.assert_array_equal(out[:2], [[2, 14, 21, 0, 3], [9, 30, 45, 3, 2]])


def test_a_series_has_the_times_as_its_index_where_it_asks_for_them():
    """And only there: whether others need times must not change what a function sees."""

    def hours(x, unit=HOUR):
        return (x.index[-1] - x.index[0]).value / unit

    def places(x):
        return x.index[-1]

    hours.input = places.input = "pd.Series"
    hours.index_type = pd.DatetimeIndex
    settings = Settings.from_any({hours: [{"unit": HOUR // 2}], places: None})
    program, out, _ = _run(settings.features_for("x"))
    assert program.needs_times
    assert program.columns == (f"hours__unit_{HOUR // 2}", "places")
    np.testing.assert_array_equal(out[:2], [[4, 2], [2, 1]])
    assert not Program([("places", {})]).needs_times


def test_another_index_is_refused():
    def weeks(x):
        return 0

    weeks.input, weeks.index_type = "pd.Series", pd.PeriodIndex
    with pytest.raises(ArgumentError, match="weeks has index_type=PeriodIndex, but only pandas"):
        calculator(weeks)


def test_a_function_without_a_name_needs_one():
    last = functools.partial(np.quantile, q=0.9)
    with pytest.raises(ArgumentError, match=r"has no name: register it .* calculator\(name="):
        Settings.from_any({last: None})
    calculator(name="last")(last)
    _, out, _ = _run([("last", {})])
    assert out[0, 0] == np.quantile([1, 2, 4], 0.9)


def _register_fragile():
    @calculator
    def fragile(values, limit):
        if values[0] > limit:
            raise ValueError("too large")
        return values[0]


def test_a_raising_function_stops_the_run_by_name():
    _register_fragile()
    wanted = r"fragile with \{'limit': 5\} failed for kind 'x': ValueError: too large; .*on_error"
    with pytest.raises(CalculationError, match=wanted):
        _run([("fragile", {"limit": 5})])


def test_a_raising_function_costs_its_cell_only():
    _register_fragile()
    features = [("fragile", {"limit": 5}), ("maximum", {}), ("fragile", {"limit": 50})]
    _, out, failures = _run(features, "nan")
    np.testing.assert_array_equal(out[:2], [[1, 4, 1], [np.nan, 8, 8]])
    assert failures == [Failure(1, "fragile", "ValueError: too large")]


@pytest.mark.parametrize("value", [None, "text", [1, 2]])
def test_results_that_are_no_numbers_are_failures(value):
    @calculator
    def odd(values):
        return value

    _, out, failures = _run([("odd", {})], "nan")
    assert np.isnan(out).all()
    assert len(failures) == 2


def _combiner(make_results):
    def several(x, param):
        return make_results(x, param)

    several.fctype = "combiner"
    calculator(several)
    return [("several", {"n": 1, "of": "a"}), ("several", {"n": 2, "of": "a"})]


FIRST, SECOND = 'n_1__of_"a"', 'n_2__of_"a"'


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("form", [list, iter])
def test_a_combiner_may_return_its_values_in_any_order(order, form):
    features = _combiner(lambda x, _: form([(FIRST, x.min()), (SECOND, x.max())][::order]))
    _, out, _ = _run(features)
    np.testing.assert_array_equal(out[:2], [[1, 4], [7, 8]])


def test_a_combiner_is_asked_once_for_equal_columns():
    features = _combiner(lambda _, param: [(f'n_{p["n"]}__of_"a"', len(param)) for p in param])
    _, out, _ = _run([*features, features[0]])
    np.testing.assert_array_equal(out[:2], 2)


def test_a_combiner_without_parameters_has_no_key():
    _combiner(lambda x, _: [("", x.sum())])
    program, out, _ = _run([("several", {})])
    assert program.columns == ("several",)
    np.testing.assert_array_equal(out[:2, 0], [7, 15])


@pytest.mark.parametrize(
    ("results", "wrong"),
    [
        ([(FIRST, 1)], f"missing: '{SECOND}'"),
        ([(FIRST, 1), (SECOND, 2), ("n_3", 3)], "not asked for: 'n_3'"),
        ([(FIRST, 1), (SECOND, 2), (FIRST, 1)], f"repeated: '{FIRST}'"),
        ([('of_"a"__n_1', 1), (SECOND, 2)], f"missing: '{FIRST}'; not asked for: 'of_"),
    ],
)
def test_a_combiner_with_other_keys_is_a_failure(results, wrong):
    features = _combiner(lambda *_: results)
    with pytest.raises(CalculationError, match=r"^several failed for kind 'x'.*the keys") as caught:
        _run(features)
    assert wrong in str(caught.value)
    _, out, failures = _run([*features, ("maximum", {})], "nan")
    np.testing.assert_array_equal(out[:2], [[np.nan, np.nan, 4], [np.nan, np.nan, 8]])
    assert [failure.series for failure in failures] == [0, 1]
    assert wrong in failures[0].message


@pytest.mark.parametrize("value", [None, "text"])
def test_a_combiner_whose_values_are_no_numbers_is_a_failure(value):
    features = _combiner(lambda *_: [(FIRST, 1), (SECOND, value)])
    _, out, failures = _run(features, "nan")
    assert np.isnan(out).all()
    assert len(failures) == 2


@pytest.mark.parametrize("on_error", ["raise", "nan"])
@pytest.mark.parametrize("style", ["simple", "combiner"])
@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no room"),
        np._core._exceptions._ArrayMemoryError((10**9,), np.dtype(float)),
        ConnectionResetError("reset by peer"),
        TimeoutError("too slow"),
        FileNotFoundError("nowhere"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_that_are_not_of_the_calculator_stop_the_run(error, style, on_error):
    """A NaN that is committed for a lost connection would stay for good."""

    def lookup(x, param=None):
        raise error

    lookup.fctype = style
    calculator(lookup)
    with pytest.raises(type(error)) as caught:
        _run([("lookup", {})], on_error)
    assert caught.value is error
    if isinstance(error, Exception):
        assert error.__notes__ == ["raised by the calculator 'lookup' for the kind 'x'"]
        del error.__notes__


@pytest.mark.parametrize("style", ["simple", "combiner"])
@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), asyncio.CancelledError()])
def test_a_function_that_exits_ends_no_run(error, style):
    def leaving(x, param=None):
        raise error

    leaving.fctype = style
    calculator(leaving)
    with pytest.raises(CalculationError, match=f"leaving failed .*{type(error).__name__}"):
        _run([("leaving", {})])
    _, out, failures = _run([("leaving", {}), ("maximum", {})], "nan")
    np.testing.assert_array_equal(out[:2], [[np.nan, 4], [np.nan, 8]])
    assert len(failures) == 2


def test_ctrl_c_that_a_function_raises_itself_is_its_error_in_a_thread():
    @calculator
    def interrupted(x):
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool:
        _, out, failures = pool.submit(_run, [("interrupted", {})], "nan").result()
    assert np.isnan(out).all()
    assert [one.message for one in failures] == ["KeyboardInterrupt"] * 2


@pytest.mark.parametrize("how", [SystemExit, KeyboardInterrupt])
def test_a_signal_that_arrives_in_a_function_is_not_its_error(how):
    """Whoever handles SIGTERM by leaving wants to leave, whatever is calculated just then."""

    @calculator
    def patient(x):
        signal.raise_signal(signal.SIGTERM)
        return 1.0

    def leave(*_):
        raise how

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(how):
            _run([("patient", {})], "nan")
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_checkpoint_is_called_before_every_series():
    calculator(name="nothing")(lambda _: 0.0)
    stops = np.array([3, 6, 9])
    block = SeriesBlock("x", np.zeros(9), stops - 3, stops)
    calls = []
    program = Program([("nothing", {})])
    program.calculate(block, np.empty((3, 1)), lambda: calls.append(1))
    assert len(calls) == 1 + 3  # before the block, too


def test_messages_of_failures_are_short():
    assert failure_message(ValueError("first\nsecond")) == "ValueError: first"
    assert failure_message(ZeroDivisionError()) == "ZeroDivisionError"
    cut = failure_message(ValueError("x" * 10**6))
    assert len(cut) == MESSAGE_LENGTH
    assert cut.endswith("x...")


@pytest.mark.parametrize("version", [3, "", b"1"])
def test_versions_are_texts(version):
    with pytest.raises(ArgumentError, match=r"version=.* is not allowed; give a text"):
        calculator(name="own", version=version)(lambda _: 0)


def test_functions_cannot_change_the_data():
    @calculator
    def rude(values):
        values[:] = 0
        return 0

    block = SeriesBlock("x", np.ones(3), np.array([0]), np.array([3]))
    out = np.empty((1, 2))
    Program([("rude", {}), ("mean", {})]).calculate(block, out)
    np.testing.assert_array_equal(block.values, 1)


@pytest.mark.parametrize("name", ["mean", "sample_entropy", "a__b", "no name"])
def test_names_that_cannot_be_taken(name):
    with pytest.raises(ArgumentError, match=r"choose another name|give a Python name"):
        calculator(name=name)(lambda _: 0)


def test_other_needs_are_refused():
    with pytest.raises(ArgumentError, match="needs"):
        calculator(name="own", needs=("sorted",))(lambda *_: 0)


def test_missing_parameters_are_named():
    _register_fragile()
    with pytest.raises(SettingsError, match="fragile needs a value for 'limit'"):
        Program([("fragile", {})])


def test_failures_are_numbered_across_cuts_of_a_long_block():
    @calculator
    def picky(values):
        if values[0] == 7:
            raise ValueError("seven")
        return 1

    values = np.zeros(100_000)
    values[90_000] = 7
    stops = np.arange(1, 101, dtype=np.int64) * 1_000
    out = np.empty((100, 1))
    failures = Program([("picky", {})], "nan").calculate(
        SeriesBlock("x", values, stops - 1_000, stops), out
    )
    assert [failure.series for failure in failures] == [90]


def test_installed_packages_can_bring_calculators(monkeypatch):
    class Entry:
        def load(self):
            calculator(name="brought")(lambda values: values[-1])

    monkeypatch.setattr(registry, "entry_points", lambda **_: [Entry()])
    registry._load_entry_points.cache_clear()
    _, out, _ = _run([("brought", {})])
    registry._load_entry_points.cache_clear()
    np.testing.assert_array_equal(out[:2, 0], [4, 7])


PROGRAM = """
import numpy as np
import tidemill
matrix = tidemill.extract_arrays(np.array([[1.0, 5.0]]), {"brought_along": [{"by": 2}]}, n_jobs=2)
print(matrix.columns, matrix.values.tolist())
"""
GOOD = """
import tidemill

@tidemill.calculator
def brought_along(values, by):
    return values.sum() + by
"""


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (GOOD, "('x__brought_along__by_2',) [[8.0]]"),
        (
            "import no_such_module",
            "SettingsError: the entry point 'mine' of the group 'tidemill.cal",
        ),
        ("x = 1", "SettingsError: no calculator is called 'brought_along'"),
    ],
)
def test_an_entry_point_of_an_installed_package_is_loaded_on_demand(module, said, tmp_path):
    """A package as pip would leave it: a module, and metadata that name it."""
    (tmp_path / "mine.py").write_text(module)
    information = tmp_path / "mine-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[tidemill.calculators]\nmine = mine\n")
    path = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", path + PROGRAM], capture_output=True, text=True, check=False
    )
    assert said in done.stdout + done.stderr
