"""Prefect's page in headless Chromium, used as a person uses it."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright

from . import programs
from .programs import BIN, SECONDS_TO_START
from .waiting import until

MISSING = "Chromium is missing, and with it the test of Prefect's page: apt-get install chromium"
SIZE = {"width": 1280, "height": 900}
#: Time for the page to answer, on a machine that is busy with a run.
MILLISECONDS = 30_000
COLOURS = 128
#: Of a picture of the documentation that shows something.
LEAST_BYTES, ENOUGH_BYTES = 10_000, 200_000
#: Status of an answer that may be another one next time.
BUSY = 503
TRIES = 3


def chromium() -> str:
    """Its path. Without it the test is skipped, but not where everything has to run."""
    if path := shutil.which("chromium"):
        return path
    if os.environ.get("CI"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)


@contextmanager
def browser_page(**options: Any) -> Iterator[Page]:
    """A page of a new browser, which forgets everything at the end; options as of a context."""
    path = chromium()
    # Its sandbox needs rights that root in a container does not have.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=arguments)
        context = browser.new_context(
            **{"viewport": SIZE, "locale": "en-GB", "timezone_id": "UTC", **options}
        )
        # The page asks its maker's server for news; tests stay on this machine.
        context.route(re.compile(r"^https?://(?!127\.0\.0\.1[:/])"), lambda route: route.abort())
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS)
        expect.set_options(timeout=MILLISECONDS)
        try:
            yield page
        finally:
            browser.close()


@contextmanager
def server(environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """A Prefect server with its page; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    settings = {
        "PREFECT_SERVER_UI_API_URL": f"{address}/api",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder / "page"),
        "PREFECT_HOME": str(folder / "server"),
        "PREFECT_API_URL": "",
    }
    command = [BIN / "prefect", "server", "start", "--host=127.0.0.1", f"--port={port}"]
    with programs.program(command, {**environment, **settings}) as started:
        until(lambda: _is_up(address), 2 * SECONDS_TO_START, "Prefect's server", started)
        yield address


def _is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/health").is_success
    except httpx.TransportError:
        return False


def _press(button: Locator, request: str) -> None:
    """Press a button, and again if the server is busy: with SQLite it may say so under load."""
    page = button.page
    for _ in range(TRIES):
        with page.expect_response(lambda answer: answer.url.endswith(request)) as answered:
            button.click()
        if answered.value.status != BUSY:
            return


@dataclass(frozen=True)
class RunForm:
    """The form of a custom run."""

    page: Page

    @classmethod
    def open(cls, page: Page, address: str, deployment: str) -> RunForm:
        """Go there by the page's own links."""
        page.goto(address)
        page.get_by_role("link", name="Deployments").first.click()
        page.get_by_role("link", name=deployment, exact=True).click()
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()
        return cls(page)

    def field(self, name: str) -> Locator:
        """All that is about one parameter."""
        label = self.page.locator("label", has_text=re.compile(rf"^{name}( \(Optional\))?$"))
        return self.page.locator("div.group", has=label).last

    def write(self, name: str, text: str) -> None:
        """Type into the field."""
        self.field(name).locator("textarea, input").fill(text)

    def pick(self, name: str, title: str) -> None:
        """Say in which of several forms the value comes: text or none, a preset or a file."""
        self.field(name).get_by_role("tab", name=title, exact=True).click()

    def choices(self, name: str) -> list[str]:
        """The values in the list of choices."""
        self.field(name).locator("[aria-haspopup=listbox]").click()
        options = self.page.get_by_role("option")
        options.first.wait_for()
        found = [text.strip() for text in options.all_inner_texts()]
        self.page.keyboard.press("Escape")
        options.first.wait_for(state="hidden")
        return found

    def choose(self, name: str, value: str) -> None:
        """Take a value from the list of choices."""
        self.field(name).locator("[aria-haspopup=listbox]").click()
        option = self.page.get_by_role("option", name=value, exact=True)
        option.click()
        option.wait_for(state="hidden")

    def press_submit(self) -> None:
        """Press the button; whether a run is made is the form's business."""
        self._submit.click()

    @property
    def _submit(self) -> Locator:
        return self.page.get_by_role("button", name="Submit")

    def submit(self) -> RunPage:
        """Make a run, and follow the link to it."""
        _press(self._submit, "/create_flow_run")
        self.page.get_by_role("link", name="View run").click()
        return RunPage(self.page)


@dataclass(frozen=True)
class RunPage:
    """The page of a flow run."""

    page: Page

    def waits_for(self, state: str) -> None:
        """Wait until the badge beside the name says so."""
        self.page.get_by_text(state, exact=True).first.wait_for(timeout=3 * MILLISECONDS)

    def tab(self, name: str) -> None:
        """Show another part of the page."""
        self.page.get_by_role("tab", name=name).click()

    def act(self, name: str) -> None:
        """Choose an action from the menu, and confirm it."""
        self.page.get_by_role("button", name="Open menu").click()
        self.page.get_by_role("menuitem", name=name).click()
        question = self.page.get_by_role("alertdialog").or_(self.page.get_by_role("dialog"))
        # The first of that name may close the question.
        _press(question.get_by_role("button", name=name).last, "/set_state")

    def open_artifact(self, key: str) -> None:
        """Open the run's artifact of that key."""
        self.tab("Artifacts")
        self.page.get_by_text(key, exact=True).click()
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()


def take_picture(page: Page, name: str, folder: Path) -> None:
    """Save what the window shows; only the environment sends it to the documentation."""
    picture = Path(os.environ.get("TIDEMILL_PICTURES", folder)) / f"{name}.png"
    _shoot(page, picture)
    assert LEAST_BYTES < picture.stat().st_size < ENOUGH_BYTES


def _shoot(page: Page, picture: Path) -> None:
    """In few colours, and a fifth of the bytes."""
    page.mouse.move(0, 0)  # messages stay as long as the pointer is on them
    expect(page.locator("[data-sonner-toast]")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=picture)
    with Image.open(picture) as shot:
        reduced = shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(picture, optimize=True)
