"""Every page of the console: what all pages have in common, found by walking the links."""

from __future__ import annotations

import re
from collections import deque
from functools import cache
from typing import NamedTuple

import pytest
from starlette.routing import compile_path
from support.chromium import DESK, NARROW, PHONE, Site, Window
from support.reader import Reader, links, reading

from domain.roles import Role
from interface.console.app import router

ROLES = [Role.AUDITOR, Role.FINANCE, Role.BANK, Role.TOWNSHIP, Role.ADMIN]
"""Those whose menus differ."""
FILES = re.compile(
    r"\.(\{form\}|csv|json|ics|svg)$|/evidence$|^/static/|^/(favicon.ico|audit/\{name\})?$"
)
"""Routes of the console that are no pages."""
MOST_OF_A_KIND = 3
"""How many pages of one route are read by each role."""
PORTRAIT, LANDSCAPE = (661, 935), (1017, 680)
"""What of A4 is printed on, in CSS pixels: 175 mm upright, 269 mm across."""
SHRINKING = 1.2
"""How much wider a page may be than the paper: the browser makes it smaller by as much."""
Walked = dict[str, dict[str, list[str]]]
"""By role and route: addresses of pages that somebody of it comes to by links alone."""


@cache
def routes() -> dict[str, re.Pattern[str]]:
    """What the console answers a GET with: by route, what its addresses match."""
    return {
        route.path: compile_path(route.path)[0]
        for route in router.routes
        if "GET" in getattr(route, "methods", ())
    }


@cache
def pages() -> set[str]:
    """The routes that answer with a page."""
    return {each for each in routes() if not FILES.search(each)}


def kind_of(address: str) -> str | None:
    """The page's route of an address, fixed ones before those with a number in them."""
    path = address.split("?", maxsplit=1)[0]
    found = [each for each, pattern in routes().items() if pattern.fullmatch(path)]
    best = min(found, key=lambda each: (each.count("{"), ":path" in each), default=None)
    return best if best in pages() else None


def walk(reader: Reader) -> dict[str, list[str]]:
    """Follow the links from the first page: by route, the addresses that were found."""
    found: dict[str, list[str]] = {}
    failed: list[str] = []
    waiting, seen = deque(["/"]), {"/"}
    while waiting:
        address = waiting.popleft()
        answer = reader.go(address)
        if answer.status_code != 200:
            failed.append(f"{answer.status_code} {address}")
        for link in links(answer):
            kind = kind_of(link)
            if link in seen or kind is None or "lang=" in link:
                continue
            seen.add(link)
            if len(found.setdefault(kind, [])) < MOST_OF_A_KIND:
                found[kind].append(link)
                waiting.append(link)
    assert not failed, "\n".join(failed)
    return found


@pytest.fixture(scope="module")
def walked(site: Site) -> Walked:
    """All pages that are found are 200."""
    found = {}
    for role in ROLES:
        with reading(site.base, site.persons[role]) as reader:
            if role is Role.AUDITOR:  # a job has a page once somebody asked for it
                assert reader.send("/audit", "/audit/jobs").status_code == 200
            found[role] = walk(reader)
    return found


def test_every_page_is_reached_by_links_from_the_first(walked: Walked) -> None:
    reached = {kind for found in walked.values() for kind in found} | {"/sign-in"}
    assert reached == pages()


class Seen(NamedTuple):
    """What was seen of a page in a browser, and should not be there."""

    address: str
    faults: list[str]
    """axe, what every page has and this one has not."""
    too_wide_px: list[int]
    """Widths of windows in which it scrolls sideways."""
    cut: list[str]
    """Text that is cut off on paper."""
    wrong_amounts: list[tuple[str, str]]
    """Fen, and the text that does not say so."""


@pytest.fixture(scope="module", params=["zh", "en"])
def seen(site: Site, walked: Walked, request: pytest.FixtureRequest) -> list[Seen]:
    """A page of each kind, looked at once in each language, on every width and on paper."""
    found: list[Seen] = []
    kinds: set[str] = set()
    for role in (Role.AUDITOR, Role.BANK, Role.TOWNSHIP, Role.ADMIN):
        with site.window(role, language=request.param) as window:
            for kind in sorted(walked[role].keys() - kinds):
                found.append(look(window, walked[role][kind][0], request.param))
            kinds |= walked[role].keys()
            found.append(Seen(f"all of {role}", window.faults, [], [], []))
    return found


def look(window: Window, address: str, language: str) -> Seen:
    """Open a page, and look at it in the windows and on the paper that there are."""
    window.go(address)
    faults = [*window.violations(contrast=language == "zh"), *common(window, language)]
    shown = window.page.eval_on_selector_all(
        "[data-fen]", "all => all.map(one => [one.dataset.fen, one.textContent])"
    )
    wrong = [(fen, text) for fen, text in shown if not says(int(fen), text)]
    wide = [width for width, height in (PHONE, NARROW) if is_too_wide(window, width, height)]
    window.page.emulate_media(media="print")
    across = window.page.evaluate("getComputedStyle(document.body).page === 'wide'")
    width, height = LANDSCAPE if across else PORTRAIT
    window.page.set_viewport_size({"width": width, "height": height})
    cut = window.page.evaluate(_CUT, width * SHRINKING)
    window.page.emulate_media(media="screen")
    window.page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    return Seen(address, faults, wide, cut[:5], wrong)


def is_too_wide(window: Window, width: int, height: int) -> bool:
    window.page.set_viewport_size({"width": width, "height": height})
    return window.is_wider_than_its_window()


def test_a_page_has_no_fault_that_a_machine_can_find(seen: list[Seen]) -> None:
    """axe, the content policy, requests elsewhere, one heading, the language, a title."""
    assert not [f"{each.address}: {fault}" for each in seen for fault in each.faults]


def common(window: Window, language: str) -> list[str]:
    """What every page has, and this one has not."""
    page, missing = window.page, []
    if page.locator("h1").count() != 1:
        missing.append("one h1")
    if page.locator("html").get_attribute("lang") != {"zh": "zh-CN", "en": "en"}[language]:
        missing.append("its language")
    for landmark in ("header", "main", "footer"):
        if page.locator(landmark).count() < 1:
            missing.append(landmark)
    if not page.title().split(" · ")[0].strip():
        missing.append("a title")
    if page.locator("[style], style, script:not([src])").count():
        missing.append("a sheet and a script of its own")
    return missing


def test_a_page_fits_a_narrow_window(seen: list[Seen]) -> None:
    assert not {each.address: each.too_wide_px for each in seen if each.too_wide_px}


_CUT = """(most) => {
  const found = [];
  for (const each of document.querySelectorAll('main *')) {
    if (each.children.length || !each.textContent.trim()) continue;
    const box = each.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    let right = most;
    for (let frame = each.parentElement; frame; frame = frame.parentElement) {
      if (getComputedStyle(frame).overflowX !== 'visible')
        right = Math.min(right, frame.getBoundingClientRect().right);
    }
    if (box.right > right + 1) found.push(each.textContent.trim().slice(0, 60));
  }
  return found;
}"""


def test_nothing_of_a_page_is_cut_off_on_paper(seen: list[Seen]) -> None:
    assert not {each.address: each.cut for each in seen if each.cut}


def test_every_amount_says_its_fen(seen: list[Seen]) -> None:
    """What a reader sees is what stands behind it, in yuan or in ten thousand yuan."""
    assert not {each.address: each.wrong_amounts for each in seen if each.wrong_amounts}


def says(fen: int, text: str) -> bool:
    """Whether a text is an amount in yuan, or in 万元 with two decimals."""
    found = re.search(r"[-−]?[\d,]+(?:\.\d+)?", text)
    if found is None:
        return False
    shown = float(found[0].replace(",", "").replace("−", "-"))
    return abs(shown * 100 - fen) < 0.5 or abs(shown * 1_000_000 - fen) <= 5_000
