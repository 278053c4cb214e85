"""Every page of the console: what all pages have in common, found by walking the links."""

from __future__ import annotations

import re
from collections import deque
from functools import cache
from typing import Any

import pytest
from support.chromium import PHONE, Site, Window

from domain.roles import Role
from interface.console.app import router

ROLES = [Role.AUDITOR, Role.FINANCE, Role.BANK, Role.TOWNSHIP, Role.ADMIN]
"""Those whose menus differ."""
FILES = re.compile(
    r"\.(\{form\}|csv|json|ics|svg)$|/evidence$|^/static/|^/(favicon.ico|audit/\{name\})?$"
)
"""Routes of the console that are no pages."""
MOST_OF_A_KIND = 2
"""How many pages of one route are opened by each role."""


@cache
def routes() -> dict[str, re.Pattern[str]]:
    """What the console answers a GET with: by route, what its addresses match."""
    return {
        route.path: re.compile(
            re.sub(r"\{\w+\}", "[^/]+", re.sub(r"\{\w+:path\}", ".+", route.path)) + "$"
        )
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


def walk(window: Window) -> dict[str, list[str]]:
    """Follow the links from the first page: by route, the addresses that were found."""
    found: dict[str, list[str]] = {}
    failed: list[str] = []
    waiting, seen = deque(["/"]), {"/"}
    while waiting:
        address = waiting.popleft()
        status = window.go(address)
        if status != 200:
            failed.append(f"{status} {address}")
        for link in window.links():
            kind = kind_of(link)
            if link in seen or kind is None or "lang=" in link:
                continue
            seen.add(link)
            if len(found.setdefault(kind, [])) < MOST_OF_A_KIND:
                found[kind].append(link)
                waiting.append(link)
    assert not failed, "\n".join(failed)
    return found


@pytest.fixture(scope="session")
def walked(site: Site) -> dict[str, dict[str, list[str]]]:
    """By role and route: pages that somebody of it comes to by links alone, all 200."""
    found = {}
    for role in ROLES:
        with site.window(role, script=False) as window:
            found[role] = walk(window)
            assert not window.faults, window.faults
    return found


RECORDS = {"/subsidy-payments/{no}", "/loans/{bank}/{no}", "/households/{no}", "/events/{event_id}"}
"""Pages of one thing that every county has; others need what a small one may lack."""


def test_every_page_is_reached_by_links_from_the_first(walked: dict[str, Any]) -> None:
    reached = {kind for found in walked.values() for kind in found} | {"/sign-in"}
    assert not ({each for each in pages() if "{" not in each} | RECORDS) - reached


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_has_no_fault_that_a_machine_can_find(
    site: Site, walked: dict[str, Any], language: str
) -> None:
    """axe, the content policy, requests elsewhere, one heading, the language, a title."""
    faults: list[str] = []
    looked_at: set[str] = set()
    for role in (Role.AUDITOR, Role.BANK, Role.TOWNSHIP, Role.ADMIN):
        with site.window(role, language=language) as window:
            for kind in sorted(walked[role].keys() - looked_at):
                address = walked[role][kind][0]
                window.go(address)
                said = [*window.violations(), *common(window, language)]
                faults += [f"{role} {address}: {each}" for each in said]
            looked_at |= walked[role].keys()
            faults += window.faults
    assert not faults, "\n".join(faults)


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


def test_a_page_fits_a_narrow_window(site: Site, walked: dict[str, Any]) -> None:
    wide = []
    with site.window("auditor", size=PHONE) as window:
        for addresses in walked["auditor"].values():
            window.go(addresses[0])
            if window.is_wider_than_its_window():
                wide.append(addresses[0])
    assert not wide


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
PORTRAIT, LANDSCAPE = (661, 935), (1017, 680)
"""What of A4 is printed on, in CSS pixels: 175 mm upright, 269 mm across."""
SHRINKING = 1.2
"""How much wider a page may be than the paper: the browser makes it smaller by as much."""


def test_nothing_of_a_page_is_cut_off_on_paper(site: Site, walked: dict[str, Any]) -> None:
    cut = {}
    with site.window("auditor", size=PORTRAIT) as window:
        window.page.emulate_media(media="print")
        for addresses in walked["auditor"].values():
            window.go(addresses[0])
            across = window.page.evaluate("getComputedStyle(document.body).page === 'wide'")
            width, height = LANDSCAPE if across else PORTRAIT
            window.page.set_viewport_size({"width": width, "height": height})
            if found := window.page.evaluate(_CUT, width * SHRINKING):
                cut[addresses[0]] = found[:5]
    assert not cut


def test_every_amount_says_its_fen(site: Site, walked: dict[str, Any]) -> None:
    """What a reader sees is what stands behind it, in yuan or in ten thousand yuan."""
    wrong = []
    with site.window("auditor") as window:
        for addresses in walked["auditor"].values():
            window.go(addresses[0])
            shown = window.page.eval_on_selector_all(
                "[data-fen]", "all => all.map(one => [one.dataset.fen, one.textContent])"
            )
            wrong += [(addresses[0], fen, text) for fen, text in shown if not says(int(fen), text)]
    assert not wrong


def says(fen: int, text: str) -> bool:
    """Whether a text is an amount in yuan, or in 万元 with two decimals."""
    found = re.search(r"[-−]?[\d,]+(?:\.\d+)?", text)
    if found is None:
        return False
    shown = float(found[0].replace(",", "").replace("−", "-"))
    return abs(shown * 100 - fen) < 0.5 or abs(shown * 1_000_000 - fen) <= 5_000
