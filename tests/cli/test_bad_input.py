"""Data, columns and settings that cannot be used: what both doors and the command say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.cli.options import as_typed
from tidemill.errors import (
    ArgumentError,
    DataError,
    InputError,
    SettingsError,
    SourceError,
    TidemillError,
)

from ..support.series import LONG_ROLES, ROLES, Watch, extract, melted, wide, write

GOOD = wide()
LONG = melted(GOOD)
MANY = wide(30)
TEN_IDS = ", ".join(f"(id={i})" for i in range(10))


@dataclass(frozen=True)
class Case:
    """Something bad, and what the message must hold."""

    name: str
    frame: pd.DataFrame
    says: tuple[str, ...]
    error: type[TidemillError] | tuple[type[TidemillError], ...] = SourceError
    settings: Any = "minimal"
    roles: Mapping[str, str] = field(default_factory=lambda: ROLES)


def bad_values(frame: pd.DataFrame, value: float) -> pd.DataFrame:
    """Put ``value`` in the middle of the series 1 and 3."""
    return frame.assign(x=frame["x"].mask(frame["id"].isin([1, 3]) & (frame["time"] == 2), value))


def role(argument: str, name: str) -> dict[str, str]:
    return {**(LONG_ROLES if argument in LONG_ROLES else ROLES), argument: name}


COLUMN = (SourceError, ArgumentError)
CASES = [
    *(
        Case(
            f"missing {argument}",
            LONG,
            (f"{argument}='absent'", "'id'", "'time'", "'kind'", "'value'"),
            COLUMN,
            roles=role(argument, "absent"),
        )
        for argument in LONG_ROLES
    ),
    Case(
        "misspelt column",
        GOOD,
        ("column_sort='tiem'", "'time'"),
        COLUMN,
        roles=role("column_sort", "tiem"),
    ),
    Case(
        "one column in two roles",
        GOOD,
        ("column_id", "column_sort", "both 'id'"),
        COLUMN,
        roles={"column_id": "id", "column_sort": "id"},
    ),
    Case("no column of values", GOOD[["id", "time"]], ("values",), COLUMN),
    Case("no rows", GOOD[:0], ("row",)),
    Case(
        "text as values",
        GOOD.assign(x="a"),
        ("'x'", "string", "must be numbers", "cast it", "column_value"),
    ),
    Case(
        "dates as values",
        GOOD.assign(x=pd.Timestamp("2026-01-01")),
        ("'x'", "timestamp", "must be numbers", "column_sort"),
    ),
    Case(
        "integers that float64 cannot hold",
        GOOD.assign(x=2**53 + 1),
        ("'x'", "9007199254740993", "2**53", "subtract an offset"),
        DataError,
    ),
    *(
        Case(
            f"{value} as a value",
            bad_values(GOOD, value),
            ("'x'", "2 null, NaN or infinite", "in 2 series", "(id=1), (id=3)", "on_nan", "'omit'"),
            DataError,
        )
        for value in (np.nan, np.inf, -np.inf)
    ),
    Case(
        "NaN in the long format",
        melted(bad_values(GOOD, np.nan)),
        ("'value'", "(id=1, kind='x'), (id=3, kind='x')", "on_nan"),
        DataError,
        roles=LONG_ROLES,
    ),
    Case(
        "NaN in many series",
        MANY.assign(x=np.nan),
        ("in 30 series", f"{TEN_IDS}, ... (30 in all)", "on_nan"),
        DataError,
    ),
    Case(
        "null ids",
        GOOD.assign(id=GOOD["id"].astype("Int64").mask(GOOD["id"] == 2)),
        ("'id'", "null in 5", "every row needs an id", "drop these rows"),
        DataError,
    ),
    Case(
        "null ids of text",
        GOOD.assign(id=GOOD["id"].map("s{}".format).mask(GOOD["id"] == 2)),
        ("'id'", "null in 5", "drop these rows"),
        DataError,
    ),
    Case(
        "NaN as an id",
        GOOD.assign(id=GOOD["id"].astype(float).mask(GOOD["id"] == 2)),
        ("'id'", "null in 5", "drop these rows"),
        DataError,
    ),
    Case(
        "ids in lists", GOOD.assign(id=[[1]] * len(GOOD)), ("'id'", "list", "cast them to")
    ),
    Case(
        "null sort values",
        GOOD.assign(time=GOOD["time"].astype("Int64").mask(GOOD["id"] == 2)),
        ("'time'", "null in 5", "fill it in"),
        DataError,
    ),
    Case(
        "null kinds",
        LONG.assign(kind=LONG["kind"].mask(LONG["id"] == 2)),
        ("'kind'", "null in 10", "every row needs a kind"),
        DataError,
        roles=LONG_ROLES,
    ),
    Case(
        "duplicate rows",
        pd.concat([GOOD, GOOD[3:5]]),
        ("2 rows", "(id=0, time=3), (id=0, time=4)", "on_duplicate", "'keep', 'first', 'last' or"),
        DataError,
    ),
    Case(
        "duplicate rows of a kind",
        pd.concat([LONG, LONG[:1]]),
        ("1 row has", "same id, kind and sort value", "(id=0, kind='x', time=0)", "on_duplicate"),
        DataError,
        roles=LONG_ROLES,
    ),
    Case(
        "many duplicate rows",
        pd.concat([GOOD, GOOD]),
        ("30 rows", "(id=1, time=4), ... (30 in all)", "on_duplicate"),
        DataError,
    ),
    Case(
        "__ in a column", GOOD.rename(columns={"x": "a__b"}), ("'a__b'", "'__'", "rename"),
    ),
    Case(
        "__ in a kind",
        LONG.assign(kind=LONG["kind"].replace("x", "a__b")),
        ("column_kind='kind'", "'a__b'", "'__'", "rename"),
        roles=LONG_ROLES,
    ),
    Case(
        "more than 250,000 columns",
        pd.DataFrame(np.zeros((2, 320)), columns=[f"c{i}" for i in range(320)]).assign(
            id=[1, 2], time=0
        ),
        ("250,560 columns", "at most 250,000", "fewer value columns or smaller settings"),
        ArgumentError,
        "comprehensive",
    ),
    Case(
        "unknown calculator",
        GOOD,
        ("'meen'", "'mean'", "did you mean"),
        SettingsError,
        {"meen": None},
    ),
    Case(
        "unknown parameter",
        GOOD,
        ("quantile", "'p'", "it takes q"),
        SettingsError,
        {"quantile": [{"p": 0.1}]},
    ),
    Case(
        "missing parameter",
        GOOD,
        ("quantile", "'q'", "as in"),
        SettingsError,
        {"quantile": None},
    ),
    Case(
        "parameter out of range",
        GOOD,
        ("quantile", "q=2", "from 0 up to 1"),
        SettingsError,
        {"quantile": [{"q": 2}]},
    ),
    Case(
        "settings that select nothing",
        GOOD,
        ("select no feature", "minimal, efficient, comprehensive"),
        SettingsError,
        {},
    ),
    Case(
        "settings of a kind that is not there",
        GOOD,
        ("'pressure'", "'x', 'y'"),
        SettingsError,
        {"pressure": [["mean", {}]]},
    ),
    Case(
        "settings of an unknown preset",
        GOOD,
        ("'maximal'", "minimal, efficient, comprehensive", ".json"),
        SettingsError,
        "maximal",
    ),
    Case(
        "a settings file that is not there",
        GOOD,
        ("absent.json", "cannot be read"),
        SettingsError,
        "absent.json",
    ),
    Case(
        "a calculator of times without times",
        GOOD.drop(columns="time"),
        ("linear_trend_timewise", "column_sort"),
        InputError,
        {"linear_trend_timewise": [{"attr": "slope"}]},
        {"column_id": "id"},
    ),
]  # fmt: skip
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A sink with an earlier result."""
    folder = tmp_path_factory.mktemp("published")
    extract(write(GOOD, folder / "in" / "a.parquet"), folder / "out" / "matrix")
    return folder / "out" / "matrix"


def assert_says(message: str, case: Case) -> None:
    missing = [fragment for fragment in case.says if fragment not in message]
    assert not missing, f"{missing} not in: {message}"


@cases
def test_files(case, tmp_path, published):
    source, watch = write(case.frame, tmp_path / "bad.parquet"), Watch.on(published)
    fresh = Watch.on(tmp_path / "out" / "matrix", published=False)
    with pytest.raises(case.error) as caught:
        extract(source, published, case.settings, **case.roles)
    assert_says(str(caught.value), case)
    watch.assert_unharmed()
    with pytest.raises(case.error):
        extract(source, fresh.sink, case.settings, **case.roles)
    fresh.assert_unharmed()


@cases
def test_frames(case):
    with pytest.raises(case.error) as caught:
        tidemill.extract_features(case.frame, case.settings, **case.roles)
    assert_says(str(caught.value), case)


@cases
def test_command(case, tmp_path, published, command):
    source, watch = write(case.frame, tmp_path / "bad.parquet"), Watch.on(published)
    settings = case.settings
    if not isinstance(settings, str):
        settings = tmp_path / "settings.json"
        settings.write_text(json.dumps(case.settings))
    roles = [f"--{name.replace('_', '-')}={value}" for name, value in case.roles.items()]
    code, said = command(
        "extract", source, published, "--cluster=none", f"--settings={settings}", *roles
    )
    assert code == 1
    assert_says(said, replace(case, says=tuple(map(as_typed, case.says))))
    (line,) = [line for line in said.splitlines() if "Error" in line]
    assert said.rstrip().endswith(line), "the message stands last"
    assert "Traceback" not in said
    watch.assert_unharmed()


def test_ids_of_mixed_type_in_a_frame():
    mixed = GOOD.assign(id=GOOD["id"].astype(object).mask(GOOD["id"] == 2, "two"))
    with pytest.raises(SourceError, match=r"'id' holds ids of mixed .* \(int, str\).*\.map\(str\)"):
        tidemill.extract_features(mixed, "minimal", **ROLES)


def test_ids_of_mixed_type_in_files(tmp_path):
    write(GOOD, tmp_path / "in" / "a.parquet")
    write(GOOD.assign(id=GOOD["id"].map(str)), tmp_path / "in" / "b.parquet")
    with pytest.raises(SourceError, match=r"'id' has type int64 in .*a\.parquet, but string in"):
        extract(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_the_listed_ids_of_a_long_list_are_named(tmp_path):
    source = write(MANY.assign(x=np.nan), tmp_path / "a.parquet")
    with pytest.raises(DataError) as caught:
        extract(source, tmp_path / "out")
    assert "(id=10)" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("on_nan", "'raise', 'omit', 'quarantine'"),
        ("on_duplicate", "'raise', 'keep', 'first', 'last', 'mean'"),
        ("on_error", "'raise', 'nan'"),
    ],
)
def test_an_unknown_policy(policy, allowed, tmp_path):
    text = rf"{policy}='drop'.*{allowed}"
    with pytest.raises(ArgumentError, match=text):
        tidemill.extract_features(GOOD, "minimal", **ROLES, **{policy: "drop"})
    with pytest.raises(ArgumentError, match=text):
        extract(tmp_path / "absent", tmp_path / "out", **ROLES, **{policy: "drop"})


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", '{"mean": ', "not valid JSON"),
        ("a.json", "[1]", "list, not a mapping"),
        ("a.yaml", "mean: [1", "not valid YAML"),
        ("a.yml", "mean: 3", "parameters 3"),
        ("a.yaml", "", "not a mapping"),
        ("a.toml", "", r"ends in \.json, \.yaml, \.yml"),
    ],
)
def test_a_wrong_settings_file(name, content, says, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(SettingsError, match=says):
        extract(write(GOOD, tmp_path / "a.parquet"), tmp_path / "out", tmp_path / name)
    with pytest.raises(SettingsError, match=says):
        tidemill.extract_features(GOOD, tmp_path / name, **ROLES)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        {"column_id": None},
        {"column_id": 3},
        {**ROLES, "column_sort": 0},
        {**ROLES, "part_bytes": 0},
        {**ROLES, "series_seconds": 0},
        {**ROLES, "storage_options": {"aws_secret_access_key": "hush"}},
    ],
    ids=lambda arguments: ",".join(list(arguments)[-1:]),
)
def test_arguments_are_checked_before_anything_is_read(arguments, tmp_path):
    with pytest.raises(ArgumentError, match=list(arguments)[-1]) as caught:
        extract(tmp_path / "absent", tmp_path / "out", **arguments)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: GOOD, "DataFrame"),
        (lambda: [GOOD], "DataFrame"),
        (lambda: {"x": GOOD}, "dict"),
        (lambda: None, "NoneType"),
        (lambda: iter(["a.parquet"]), "iterator"),
    ],
)
def test_a_frame_instead_of_a_path(make: Callable[[], Any], found, tmp_path):
    with pytest.raises(
        ArgumentError, match=f"source is a .*{found}.*extract_features takes frames"
    ):
        extract(make(), tmp_path / "out")
    with pytest.raises(ArgumentError, match=r"sink is a .*give a string"):
        extract(tmp_path, GOOD)


@pytest.mark.parametrize(
    "container", [[1, 2], 3, None, "a.parquet", {"x": 3}, {}, np.zeros((2, 2))]
)
def test_a_container_that_is_no_frame(container):
    with pytest.raises(InputError, match="timeseries_container"):
        tidemill.extract_features(container, "minimal", column_id="id")


def test_a_module_that_cannot_be_imported(tmp_path):
    with pytest.raises(SourceError, match=r"'absent_module' cannot be imported.*install it"):
        extract(
            write(GOOD, tmp_path / "a.parquet"),
            tmp_path / "out",
            **ROLES,
            modules=["absent_module"],
        )
    assert not (tmp_path / "out").exists()


KINDS = "none, threads[:N], processes[:N], tcp://host:port"


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        ("thread", KINDS),
        ("threads:0", KINDS),
        ("processes:x", KINDS),
        ("http://127.0.0.1:1", KINDS),
        ("absent.yaml", "cannot be read: No such file"),
    ],
)
def test_a_wrong_cluster(cluster, says, tmp_path, command):
    source = write(GOOD, tmp_path / "a.parquet")
    code, said = command(
        "extract", source, tmp_path / "out", "--column-id=id", f"--cluster={cluster}"
    )
    assert code == 1
    assert f"cluster={cluster!r}" in said
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_the_installed_command_says_one_line(tmp_path):
    source = write(bad_values(GOOD, np.nan), tmp_path / "a.parquet")
    program = Path(sys.executable).with_name("tidemill")
    arguments = ["--column-id=id", "--cluster=none", "--settings=minimal"]
    ended = subprocess.run(
        [program, "extract", source, tmp_path / "out", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1].startswith(f"DataError: {source}: column 'x' holds 2")
    assert "Traceback" not in ended.stderr
