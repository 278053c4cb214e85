"""What a list without lines says, and where it leads: a wider question, or what would fill it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from interface.console.frame import Visit
from interface.console.menu import MENU, opens
from projections.facts.reading import View

_NEXT: Final[Mapping[str, str]] = {
    "subsidies": "settlement",
    "red_flags": "red_flag_runs",
    "red_flag_runs": "red_flags",
    "red_flag_changes": "red_flag_runs",
    "cases": "red_flags",
    "changes": "loans",
    "batches": "settlement",
    "batch_lines": "batches",
    "publications": "annual_report",
    "duties": "duties_summary",
    "flow_edges": "fund_flow",
    "unlinked": "fund_flow",
    "unlinked_payments": "unlinked",
    "misuse": "unlinked",
    "misuse_accounts": "misuse",
    "entities": "fund_flow",
    "journal": "funds",
    "transfers": "funds",
    "guarantees": "risk_fund",
    "instalments": "benefits",
}
"""By list: the page of the menu whose matter fills it; else the guide of the reader's desk."""
_ITEMS: Final = {item.key: item for items in MENU.values() for item in items}


class Empty(NamedTuple):
    """`text` of the link to `href`."""

    sentence: str
    href: str
    text: str


def empty_list(found: Visit, view: View, name: str, *, filtered: bool, wider: str) -> Empty:
    """`filtered`: whether the reader set a filter; `wider`: the same list without any."""
    words = found.words
    if view.is_empty:
        return Empty(words("list.empty_county"), *_guide(found))
    if filtered:
        return Empty(words("list.empty", as_of=found.as_of), wider, words("list.wider"))
    own = f"{name}.empty"
    sentence = words(own if words.has(own) else "list.empty_whole", as_of=found.as_of)
    if {"as_of", "known_at"} & set(found.request.query_params):
        newest = found.address(as_of=None, known_at=None, cursor=None)
        return Empty(sentence, newest, words("list.newest"))
    return Empty(sentence, *_next(found, name))


def _next(found: Visit, name: str) -> tuple[str, str]:
    item = _ITEMS.get(_NEXT.get(name, ""))
    if item is None or not opens(found, item):
        return _guide(found)
    key = next((f"menu.{word}" for word in MENU if MENU[word][0] is item), f"page.{item.key}")
    return found.address(item.address), found.words("list.next_page", page=found.words(key))


def _guide(found: Visit) -> tuple[str, str]:
    return found.to("help", f"desk-{found.author.role}"), found.words("list.guide")
