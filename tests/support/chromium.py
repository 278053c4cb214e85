"""A real browser on the console: signed in, watched for what a page must not do."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from support.reader import Person

from interface.simulation.demo.people import GUARANTORS, organisations

CHROMIUM: Final = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
"""The browser of this machine; None: there is none."""
DESK, PHONE, NARROW = (1366, 900), (390, 844), (320, 640)
"""Width and height of a window, in CSS pixels."""
_PATIENCE_SECONDS, _PAUSE_SECONDS = 120, 0.1


def demo_persons() -> dict[str, Person]:
    """The first person of each role of the demo county."""
    first: dict[str, Person] = {}
    for each in (*organisations(), *GUARANTORS):
        role = str(each.role)
        first.setdefault(role, Person(each.code, f"{each.code.lower()}-demo", role))
    return first


class Window:
    """A window of the browser, and what its pages did that they must not do."""

    def __init__(self, base: str, page: Any) -> None:
        self.base, self.page = base, page
        self.faults: list[str] = []
        page.on(
            "console",
            lambda said: said.type == "error" and self._fault(f"{said.text} {said.location}"),
        )
        page.on("pageerror", lambda error: self._fault(str(error)))
        page.on("request", lambda request: self._look(request.url))

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.page.url}: {text}")

    def _look(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.base:
            self._fault(f"asks elsewhere: {url}")

    def go(self, address: str) -> int:
        """Open an address, again until nothing of it is being worked out; its last status.

        What is a file is asked for beside the page, which stays.
        """
        from playwright.sync_api import Error as PlaywrightError

        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                answer = self.page.goto(self.base + address)
            except PlaywrightError as error:
                if "Download is starting" not in str(error):
                    raise
                return int(self.page.request.get(self.base + address).status)
            if answer is not None and "refresh" not in answer.headers:  # None: it went on by itself
                return int(answer.status)
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError(f"still being worked out: {address}")

    def sign_in(self, person: Person) -> None:
        self.go("/sign-in")
        form = f'form:has(input[value="{person.person}"]) button'
        with self.page.expect_navigation():
            self.page.locator(form).first.evaluate("button => button.form.requestSubmit()")

    @property
    def address(self) -> str:
        """Path and query of the page that is open."""
        parts = urlsplit(self.page.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def is_wider_than_its_window(self) -> bool:
        """Whether the page scrolls sideways."""
        wider: bool = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return wider

    def violations(self, *, contrast: bool = True) -> list[str]:
        """What axe finds: rule, how grave, and where it is seen first.

        `contrast`: whether colours are compared, which takes five times as long as all else.
        """
        from axe_playwright_python.sync_playwright import Axe

        rules = {"color-contrast": {"enabled": contrast}}
        options = {"resultTypes": ["violations"], "rules": rules}
        found = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}" for each in found
        ]


class Site(NamedTuple):
    """The console at an address, a browser, and a person of each role."""

    base: str
    browser: Any
    persons: dict[str, Person]

    @contextmanager
    def window(
        self,
        role: str | None = None,
        *,
        size: tuple[int, int] = DESK,
        script: bool = True,
        language: str = "zh",
    ) -> Iterator[Window]:
        """A window with cookies of its own; with a role, somebody of it is signed in."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, java_script_enabled=script
        )
        try:
            window = Window(self.base, context.new_page())
            if language != "zh":
                window.go(f"/sign-in?lang={language}")
            if role is not None:
                window.sign_in(self.persons[role])
            yield window
        finally:
            context.close()
