"""Somebody who reads the console without a browser: cookies, links and forms, nothing drawn."""

from __future__ import annotations

import time
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


class Reader:
    """A person on the console of a running service."""

    def __init__(self, base: str, person: Person) -> None:
        self.client = httpx2.Client(base_url=base, follow_redirects=True, timeout=_PATIENCE_SECONDS)
        form = {"demo": "1", "organisation": person.organisation, "person": person.person}
        answer = self.client.post("/sign-in", data=form | {"next": "/"}, headers={"Origin": base})
        assert answer.status_code == 200, answer.text

    def go(self, address: str) -> httpx2.Response:
        """The answer at an address, asked for until nothing of it is being worked out."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = self.client.get(address)
            if "refresh" not in answer.headers:
                return answer
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError(f"still being worked out: {address}")


def links(answer: httpx2.Response) -> list[str]:
    """The addresses of its own site that a page links to, each once."""
    reader = _Links()
    reader.feed(answer.text)
    own = [urldefrag(urljoin(str(answer.url.path), each)).url for each in reader.found]
    return list(dict.fromkeys(each for each in own if each.startswith("/")))
