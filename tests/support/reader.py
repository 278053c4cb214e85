"""Somebody who reads the console without a browser: cookies, links and forms, nothing drawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import urldefrag, urljoin

import httpx2

_PATIENCE_SECONDS: Final = 120
_PAUSE_SECONDS: Final = 0.1


class Person(NamedTuple):
    """Somebody who signs in to the demo county with one click."""

    organisation: str
    person: str
    role: str


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


class _Form(HTMLParser):
    def __init__(self, action: str) -> None:
        super().__init__()
        self._action, self._inside, self._ended = action, False, False
        self._list = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self._inside = said.get("action") == self._action and not self._ended
        elif tag in ("input", "option") and self._inside:
            name = said.get("name") or self._list
            self.fields.setdefault(name, said.get("value") or "")
        elif tag == "select":
            self._list = said.get("name") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._ended = self._ended or self._inside
            self._inside = False


class Reader:
    """A person on the console of a running service."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def go(self, address: str) -> httpx2.Response:
        """The answer at an address, asked for until nothing of it is being worked out."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = self.client.get(address)
            if "refresh" not in answer.headers:
                return answer
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError(f"still being worked out: {address}")

    def send(self, page: str, action: str) -> httpx2.Response:
        """Send the first form of a page with this action, as it stands there."""
        form = _Form(action)
        form.feed(self.go(page).text)
        origin = str(self.client.base_url)
        return self.client.post(action, data=form.fields, headers={"Origin": origin})


@contextmanager
def reading(base: str, person: Person) -> Iterator[Reader]:
    """Somebody of the demo county, signed in."""
    form = {"demo": "1", "organisation": person.organisation, "person": person.person}
    with httpx2.Client(base_url=base, follow_redirects=True, timeout=_PATIENCE_SECONDS) as client:
        answer = client.post("/sign-in", data=form | {"next": "/"}, headers={"Origin": base})
        assert answer.status_code == 200, answer.text
        yield Reader(client)


def links(answer: httpx2.Response) -> list[str]:
    """The addresses of its own site that a page links to, each once."""
    reader = _Links()
    reader.feed(answer.text)
    own = [urldefrag(urljoin(str(answer.url.path), each)).url for each in reader.found]
    return list(dict.fromkeys(each for each in own if each.startswith("/")))
