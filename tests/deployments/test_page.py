"""Prefect's page in a real browser: a run started by a person who reads only the form.

`make screenshots` takes those of the documentation here and in tests/reports/html/test_page.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

import tidemill

from ..support import browser, programs
from ..support.browser import RunForm, expect
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")


def write_readings(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    buoys = [f"buoy-{number}" for number in range(6)]
    for day in DAYS:
        times = pd.date_range(day, periods=24, freq="1h").repeat(6)
        frame = pd.DataFrame({"buoy": np.tile(buoys, 24), "time": times})
        frame["temperature"] = 12 + rng.normal(size=144)
        frame.assign(salinity=35 + rng.normal(size=144)).to_parquet(
            folder / f"{day}.parquet", index=False
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Return the folder that the server, the worker and their runs call home."""
    browser.chromium()  # skip before anything is started
    home = tmp_path_factory.mktemp("home")
    write_readings(home / "readings")
    return home


@pytest.fixture(scope="module")
def address(home) -> Iterator[str]:
    """Start a server and a worker, apply the deployments, and yield the page's address."""
    environment = {"HOME": str(home), "PREFECT_WORKER_QUERY_SECONDS": "2"}
    with browser.server(environment, home) as address:
        environment["PREFECT_API_URL"] = f"{address}/api"
        project = str(home / "features")
        for command in (["init", project], ["deploy", f"{project}/prefect.yaml"]):
            with programs.program([programs.BIN / "tidemill", *command], environment) as done:
                done.finishes()
        worker = [programs.BIN / "prefect", "worker", "start", "--pool", "tidemill"]
        with programs.program(worker, environment) as started:
            started.says("started")
            yield address


@pytest.fixture(scope="module")
def page(address) -> Iterator[browser.Page]:
    with browser.browser_page() as page:
        yield page


@pytest.fixture
def picture(page, tmp_path):
    """Return a function that takes a screenshot."""
    return lambda name: browser.take_picture(page, name, tmp_path)


@pytest.fixture
def form(page, address) -> RunForm:
    """Fill in the form of the deployment `daily` for files of one's own."""
    form = RunForm.open(page, address, "daily")
    form.write("source", "~/readings")
    form.write("column_id", "buoy")
    form.pick("column_value", "None")
    form.choose("settings", "minimal")
    form.pick("interval_start", "str")
    form.write("interval_start", "2026-11-20")
    return form


def runs(address: str, sink: str) -> list[dict]:
    """What the server knows of runs that were asked for this sink."""
    found = httpx.post(f"{address}/api/flow_runs/filter", json={}).json()
    return [run for run in found if run["parameters"].get("sink") == sink]


def test_the_page_shows_when_a_schedule_runs_next(page, address):
    """The server's scheduler works with the installed versions of its libraries."""
    page.goto(address)
    page.get_by_role("link", name="Deployments").first.click()
    page.get_by_role("link", name="daily", exact=True).click()
    expect(page.get_by_text("At 02:30 AM")).to_be_visible()
    expect(page.get_by_text("Next Run")).to_be_visible()


def test_a_run_from_the_form_has_a_name_a_report_and_a_table(form, page, home, picture):
    form.write("sink", "~/tables/buoy")
    assert form.choices("on_empty") == ["wait", "skip", "fail"]
    form.field("source").scroll_into_view_if_needed()
    picture("prefect_form")
    run = form.submit()
    run.waits_for("Completed")
    expect(page.get_by_text("buoy-2026-11-20").first).to_be_visible()
    run.tab("Artifacts")
    for what in ("progress", "output"):
        expect(page.get_by_text(f"tidemill-{what}-buoy", exact=True)).to_be_visible()
    picture("prefect_run")
    run.open_artifact("tidemill-report-buoy")
    expect(page.get_by_text("Interval 2026-11-20").first).to_be_visible()
    picture("prefect_report")
    assert tidemill.read_matrix(str(home / "tables/buoy"), "20261120T000000Z").shape == (6, 20)


WRONG = {
    "every": ("1 day", "days or weeks, such as 1d or 2w, or hours, minutes and seconds, such as"),
    "timezone": ("Berlin", "the IANA name of a time zone, such as UTC or Europe/Berlin"),
    "cluster": ("threads:none", "none, threads, threads:4, processes, processes:4, tcp://"),
    "interval_start": ("yesterday", "a time such as 2026-11-01, 2026-11-01T06:00"),
}


def test_what_the_descriptions_rule_out_is_refused_beside_the_field(form, address, picture):
    sink = "~/tables/refused"
    form.write("sink", sink)
    for name, (text, _) in WRONG.items():
        form.write(name, text)
    form.press_submit()
    for name, (_, refusal) in WRONG.items():
        expect(form.field(name)).to_contain_text(refusal)
    form.field("every").scroll_into_view_if_needed()
    picture("prefect_refusal")
    assert runs(address, sink) == []


def test_a_number_below_its_limit_is_refused_by_the_browser(form, address):
    sink = "~/tables/negative"
    form.write("sink", sink)
    form.write("retries", "-1")
    form.press_submit()
    said = form.field("retries").locator("input").evaluate("one => one.validationMessage")
    assert "greater than or equal to 0" in said
    assert runs(address, sink) == []


def test_a_failed_run_says_why_and_is_retried_by_its_button(form, page, address, home):
    sink = "~/tables/later"
    form.write("sink", sink)
    form.write("source", "~/later")
    run = form.submit()
    run.waits_for("Failed")
    run.tab("Details")
    expect(page.get_by_text("SourceError: no input files at")).to_be_visible()
    (failed,) = runs(address, sink)
    assert f"no input files at '{home / 'later'}'" in failed["state"]["message"]
    expect(page.get_by_text("did not generate any task or subflow runs")).to_be_visible()
    write_readings(home / "later")
    run.act("Retry")
    run.waits_for("Completed")
    (retried,) = runs(address, sink)
    assert (retried["id"], retried["run_count"]) == (failed["id"], 2)


def test_a_run_that_waits_is_cancelled_by_its_button(form, page, address, home):
    sink = "~/tables/never"
    form.write("sink", sink)
    form.write("interval_start", "2026-11-25")
    form.choose("on_empty", "wait")
    run = form.submit()
    run.waits_for("Running")
    run.act("Cancel")
    run.waits_for("Cancelled")
    until(
        lambda: runs(address, sink)[0]["state_type"] == "CANCELLED", 60, "the run to be cancelled"
    )
    assert not (home / "tables/never/_delta_log").exists()
