"""Ids, kinds, file names and errors that hold anything: nothing breaks, nothing leaves the sink."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from markdown_it.token import Token
from prefect.client.orchestration import get_client

import tidemill
from tidemill.calculators import calculator
from tidemill.cli.main import cli
from tidemill.flows.recurring import extract_interval
from tidemill.reports.markdown import extraction_page

from ..support.api import named_run
from ..support.hostile import HOSTILE
from ..support.series import LONG_ROLES, extract

#: ``__`` and NUL are refused in kinds.
KINDS = [text for text in HOSTILE if "__" not in text and "\0" not in text]
#: All names that the engine gives to files.
SAFE = re.compile(r"[A-Za-z0-9_.=#:-]+")


def check_lines(text: str) -> None:
    """Nothing in it is obeyed by a terminal."""
    for line in text.split("\n"):
        for one in line:
            assert one.isprintable() or unicodedata.category(one) == "Zs", ascii(line)


def check_page(page: str, *, links: int) -> list[Token]:
    """Its tables are whole; no HTML, picture or link but those to output and report."""
    check_lines(page)
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.validateLink = lambda _: True  # else it shows file:// and javascript: as text
    blocks = parser.parse(page)
    pieces = [piece for one in blocks for piece in one.children or ()]
    kinds = [one.type for one in (*blocks, *pieces)]
    assert not {"html_block", "html_inline", "image", "em_open", "s_open"} & set(kinds)
    assert kinds.count("link_open") == links
    assert "strong_open" not in kinds
    lines = page.split("\n")
    assert kinds.count("tr_open") == sum(line.startswith("| ") for line in lines)
    assert kinds.count("heading_open") == sum(line.startswith("#") for line in lines)
    fences = [one.content for one in blocks if one.type == "fence"]
    assert all(line.startswith("tidemill ") for code in fences for line in code.splitlines())
    return blocks


def check_folder(folder: Path, *known: str) -> None:
    """All that lies in it is known, and what lies below a sink has a name of ours."""
    assert {path.name for path in folder.iterdir()} == set(known)
    for path in (folder / "out").rglob("*"):
        steps = path.relative_to(folder / "out").parts[1:]  # the first is the sink itself
        assert all(SAFE.fullmatch(step) for step in steps), path


@pytest.fixture
def objects(own_calculators) -> None:
    """A calculator that fails with a hostile message."""

    @calculator(version="1")
    def objects(values):
        raise ValueError(HOSTILE[int(values[0]) % len(HOSTILE)])


@pytest.fixture
def files(tmp_path) -> Path:
    """A folder with a file per id, named after it, and two that are no Parquet."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, text in enumerate(HOSTILE):
        pairs = [(text, kind, place, float(number)) for kind in KINDS for place in range(3)]
        name = text.replace("/", "%2f").replace("\0", "%00")[:100]
        rows = pd.DataFrame(pairs, columns=["id", "kind", "time", "value"])
        rows.to_parquet(folder / f"f{name}.parquet", index=False)
    (folder / "bad\n\x1b[2J|`<b>.parquet").write_bytes(b"no parquet")
    (tmp_path / "in" / "bad\udcff.parquet").touch()  # not UTF-8
    return folder


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet", "matrix.csv"])
def test_the_whole_job_with_hostile_text(name, files, tmp_path, objects, caplog):
    sink = tmp_path / "out" / name
    sink.parent.mkdir()
    caplog.set_level("INFO", "tidemill")
    settings = {"mean": None, "objects": None}
    options = {**LONG_ROLES, "on_error": "nan", "on_bad_file": "quarantine"}
    summary = extract(files, sink, settings, **options).to_json()
    assert len(summary["bad_files"]) == 2
    assert sum(one["count"] for one in summary["errors"]) == len(HOSTILE) * len(KINDS)
    check_page(extraction_page(summary), links=1)
    for arguments in ([], ["--json"]):
        shown = CliRunner().invoke(cli, ["inspect", str(sink), *arguments])
        assert shown.exit_code == 0
        check_lines(shown.output)
    for line in caplog.messages:
        check_lines(line)
        assert "\n" not in line
    check_folder(tmp_path, "in", "out")
    matrix = tidemill.read_matrix(sink)
    assert set(matrix.index) == set(HOSTILE)
    assert set(matrix.columns) == {f"{kind}__{one}" for kind in KINDS for one in settings}
    for number, text in enumerate(HOSTILE):
        assert (matrix.loc[text].filter(like="__mean").to_numpy() == number).all()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_argument_is_one_line_of_error(text, command, tmp_path, monkeypatch):
    (tmp_path / "here" / "out").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    name = text.replace("\0", "")
    frame = pd.DataFrame({"id": [1], "x": [1.0]})
    frame.to_parquet("in.parquet")
    runs = [
        ("extract", name, "out/matrix", "--column-id", "id"),
        ("extract", "in.parquet", "out/matrix", "--column-id", name),
        ("extract", "in.parquet", "out/matrix", "--column-id", "id", "--settings", name),
        ("inspect", name),
    ]
    for arguments in runs:
        code, told = command(*arguments)
        assert code == 1, told
        check_lines(told)
        assert len(told.splitlines()) == 1
        assert len(told) < 10_000
    check_folder(tmp_path / "here", "in.parquet", "out")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_pages_and_logs_of_a_recurring_run_with_hostile_text(
    prefect_server, tmp_path, own_calculators
):
    """Ids and columns come and go from one interval to the next, under a hostile table's name."""
    ids, kinds = HOSTILE, [kind for kind in KINDS if not kind.isspace()]
    sink = tmp_path / "out" / "![x](https:a) `|<b> __x__"
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for day, some, columns in (("17", ids[:-3], kinds[:-3]), ("18", ids[3:], kinds[3:])):
        times = pd.date_range(f"2026-11-{day}", periods=8, freq="3h")
        rows = pd.MultiIndex.from_product([some, times], names=["id", "time"]).to_frame(index=False)
        for kind in columns:
            rows[kind] = rng.normal(size=len(rows))
        rows.to_parquet(folder / f"{day}.parquet", index=False)
    pages = []
    for day in ("2026-11-17", "2026-11-18"):
        runs, report = named_run(
            extract_interval, source=str(folder), sink=str(sink), column_id="id",
            column_time="time", settings="minimal", cluster="threads:2", interval_start=day,
            retries=0,
        )  # fmt: skip
        assert report["summaries"][0]["rows"] == len(HOSTILE) - 3
        for line in runs.wait_for_log("Finished in state") and runs.logs():
            check_lines(line.message)
        pages += [one.data for one in _artifacts(runs.runs[0].id) if one.type == "markdown"]
    assert sum(page.startswith("# Completed") for page in pages) == 2
    for page in pages:
        check_page(page, links=2 if page.startswith("#") else 1)  # the output has one of its own
    check_lines(CliRunner().invoke(cli, ["inspect", str(sink)]).output)
    check_folder(tmp_path, "in", "out")


def _artifacts(run: object) -> list:
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=wanted)
