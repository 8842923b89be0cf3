"""Pages of the documentation: links, pictures, figures and lists are those of the package.

Their examples are run by tests/packaging/test_documentation.py.
"""

import importlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ET  # our own file
from pathlib import Path

import pytest

import tidemill
from tidemill import errors
from tidemill.calculators import CALCULATORS
from tidemill.calculators.settings import Settings
from tidemill.cli.main import cli
from tidemill.reports.charts import drawn_figures

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
IMAGES = sorted((DOCS / "images").iterdir())
IMAGE_BYTES = 200_000
#: Taken by `make screenshots`.
SCREENSHOTS = {f"prefect_{what}.png" for what in ("form", "refusal", "report", "run")}
SCREENSHOTS |= {"html_report.png"}
RUN = {"python", "console", "yaml"}
SHOWN = {"text", ""}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@each_page
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def test_every_page_leads_to_the_glossary():
    without = [page.name for page in PAGES if "glossary.md)" not in text_of(page)]
    assert without == ["glossary.md"]


def test_the_glossary_explains_each_word_once():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text_of(DOCS / "glossary.md"), re.MULTILINE)
    rows = [row for row in rows if row != ("word", "meaning")]
    words = [word for word, _ in rows]
    assert len(words) == len(set(words))
    for word, meaning in rows:
        sentence = re.sub(r": see \[.*", "", meaning)
        assert not sentence.endswith("."), word
        assert ". " not in sentence, f"{word}: one sentence"


WORDS = [
    "attempt",
    "block",
    "bucket",
    "calculator",
    "carryover",
    "check",
    "chunk",
    "door",
    "drift",
    "due",
    "feature matrix",
    "generation",
    "interval record",
    "late",
    "lease",
    "marker",
    "part",
    "plan",
    "poison",
    "quarantine",
    "run record",
    "series",
    "settings",
    "spill",
    "tile",
    "unpublished interval",
    "window",
]


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_has_the_word(word):
    assert f"\n| {word} | " in text_of(DOCS / "glossary.md")


@each_page
def test_files_of_the_code_that_a_page_names_exist(page):
    """As seen from the root, or, on the page of the architecture, from the package."""
    if page.name == "CHANGELOG.md":  # says what was
        return
    named = set(re.findall(r"(?<![\w./])((?:[a-z_]+/)+(?:[a-z_]+\.py)?)(?![\w./])", text_of(page)))
    tops = {path.name for top in (ROOT, ROOT / "src/tidemill") for path in top.iterdir()}
    missing = [
        name
        for name in sorted(named)
        if name.split("/")[0] in tops
        and not (ROOT / name).exists()
        and not (ROOT / "src/tidemill" / name).exists()
    ]
    assert missing == []


@each_page
def test_a_block_that_is_not_run_says_why(page):
    """``bash`` blocks are not run: each is followed by a comment with the reason."""
    blocks = re.findall(
        r"^```(\w*)[^\n]*\n.*?^```\n(.*?)$", text_of(page), re.DOTALL | re.MULTILINE
    )
    for language, next_line in blocks:
        assert language in RUN | SHOWN | {"bash"}, f"{page.name}: {language}"
        if language == "bash":
            assert next_line.startswith("<!-- not executed: "), f"{page.name}: {next_line}"


@each_page
def test_pages_say_nothing_of_the_machine_they_were_written_on(page):
    assert str(ROOT) not in text_of(page)
    assert not re.search(r"/(home|root|Users|tmp)/", text_of(page))


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_pictures_are_small_and_shown(image):
    assert image.stat().st_size < IMAGE_BYTES
    assert any(f"images/{image.name}" in text_of(page) for page in PAGES)


def test_the_drawing_is_a_picture_that_names_the_steps():
    drawing = ET.parse(DOCS / "images/architecture.svg").getroot()  # noqa: S314 - our own file
    words = " ".join(drawing.itertext())
    for step in ("calculate_chunk_size", "partition", "calculate_features", "reduce"):
        assert step in words


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_pictures_show_what_a_run_makes_now(tmp_path):
    """By the figures that are drawn; a picture of an older version fails."""
    script = [sys.executable, str(DOCS / "make_pictures.py"), str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True)
    made = {path.name: drawn_figures(path) for path in tmp_path.iterdir()}
    drawn = [path for path in IMAGES if path.suffix == ".png" and path.name not in SCREENSHOTS]
    assert made == {path.name: drawn_figures(path) for path in drawn}
    assert made["feature_map.png"]["columns"] == len(Settings.from_any("comprehensive").default)


def test_the_figures_of_the_status_are_true():
    settings = pytest.importorskip("tsfresh.feature_extraction")
    theirs = settings.ComprehensiveFCParameters()
    their_columns = sum(
        len(parameters or [None])
        for name, parameters in theirs.items()
        if name != "linear_trend_timewise"  # needs times, as an option of both
    )
    ours = len(set(CALCULATORS) & set(theirs))
    our_columns = len(Settings.from_any("comprehensive").features_for("x"))
    status = re.sub(r"\s+", " ", text_of(ROOT / "README.md"))
    assert f"{ours} of tsfresh's {len(theirs)} calculators exist" in status
    assert f"{our_columns} of tsfresh's {their_columns} comprehensive columns" in status
    assert f"{our_columns} of tsfresh's {their_columns} columns" in text_of(ROOT / "CHANGELOG.md")


def test_the_api_page_lists_the_public_names():
    page = text_of(DOCS / "api.md")
    assert sorted(re.findall(r"^\| \[`(\w+)`\]", page, re.MULTILINE)) == tidemill.__all__
    listed = set(re.findall(r"`(\w+Error)`", page))
    assert listed == {name for name in errors.__all__ if name.endswith("Error")}


def test_the_api_page_lists_the_names_of_selection():
    (part,) = re.findall(
        r"^## `tidemill.selection`\n(.*?)^## ", text_of(DOCS / "api.md"), re.MULTILINE | re.DOTALL
    )
    names = importlib.import_module("tidemill.selection").__all__
    assert [name for name in names if f"`{name}`" not in part] == []


def test_the_api_page_lists_the_commands():
    page = text_of(DOCS / "api.md")
    listed = re.findall(r"^\| `tidemill ([\w-]+)`", page, re.MULTILINE)
    assert sorted(listed) == sorted(cli.commands)


def test_the_api_page_lists_what_the_flow_returns():
    summary = importlib.import_module("tidemill.execution.records").RunSummary
    page = text_of(DOCS / "api.md")
    (sentence,) = re.findall(r"It returns JSON values: (.*?)\.\n\n", page, re.DOTALL)
    assert re.findall(r"`(\w+)`", sentence) == list(summary.__dataclass_fields__)


def test_every_option_is_explained():
    """In the pages about files, storage and recovery; ``--help`` explains the rest."""
    said = "".join(text_of(page) for page in PAGES)
    options = {
        one.opts[0]
        for one in cli.commands["extract"].params
        if one.opts[0].startswith("--") and one.opts[0] != "--verbose"
    }
    assert {option for option in options if option not in said} == set()


def test_the_changelog_knows_this_version():
    assert f"\n## {tidemill.__version__}\n" in text_of(ROOT / "CHANGELOG.md")
