"""The menu: eleven words, each with its pages; a page is in it when it exists and may be seen."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from starlette.routing import Route

from interface.http.permissions import QUERIES


class Item(NamedTuple):
    """A page of the menu; `query`: the row of the permission table that opens it (None: all)."""

    key: str
    address: str
    query: str | None


MENU: Final[dict[str, tuple[Item, ...]]] = {
    "overview": (Item("overview", "/overview", "/ledgers/loans"),),
    "todo": (Item("todo", "/todo", "/duties"),),
    "search": (Item("search", "/search", "/search"),),
    "ledgers": (
        Item("loans", "/ledgers/loans", "/ledgers/loans"),
        Item("subsidies", "/ledgers/subsidies", "/ledgers/subsidies"),
        Item("settlement", "/settlement", "/settlement"),
        Item("funds", "/ledgers/funds", "/ledgers/funds"),
        Item("transfers", "/ledgers/transfers", "/ledgers/transfers"),
        Item("journal", "/ledgers/journal", "/ledgers/journal"),
        Item("risk_fund", "/ledgers/risk-fund", "/ledgers/risk-fund"),
        Item("guarantees", "/guarantees", "/guarantees"),
        Item("benefits", "/benefits", "/benefits"),
        Item("instalments", "/benefits/instalments", "/benefits/instalments"),
        Item("ratings", "/ratings", "/ratings"),
        Item("changes", "/changes", "/changes"),
    ),
    "duties": (
        Item("duties_list", "/duties", "/duties"),
        Item("duties_summary", "/duties/summary", "/duties/summary"),
        Item("duties_month", "/duties/month", "/duties"),
    ),
    "batches": (Item("batches", "/batches", "/batches"),),
    "red_flags": (
        Item("red_flags", "/red-flags", "/red-flags"),
        Item("finding_groups", "/red-flags/schemes", "/red-flags/schemes"),
        Item("red_flag_runs", "/red-flags/runs", "/red-flags/runs"),
        Item("red_flag_changes", "/red-flags/changes", "/red-flags/changes"),
    ),
    "cases": (Item("cases", "/cases", "/cases"),),
    "fund_flow": (
        Item("fund_flow", "/fund-flow", "/fund-flow"),
        Item("fund_flow_paths", "/fund-flow/paths", "/fund-flow/paths"),
        Item("misuse", "/fund-flow/misuse", "/fund-flow/misuse"),
        Item("misuse_accounts", "/fund-flow/misuse/accounts", "/fund-flow/misuse"),
        Item("unlinked", "/fund-flow/unlinked", "/fund-flow/unlinked"),
        Item("entities", "/entities", "/entities"),
    ),
    "policy": (
        Item("rulings", "/programme/rulings", "/programme/rulings"),
        Item("replay", "/programme/replay", "/programme/replay"),
        Item("plan_check", "/reports/plan-check", "/reports/plan-check"),
    ),
    "reports": (
        Item("township_report", "/reports/townships", "/reports/townships"),
        Item("bank_report", "/reports/banks", "/reports/banks"),
        Item("annual_report", "/reports/annual", "/reports/annual"),
        Item("publications", "/publications", "/publications"),
    ),
    "audit": (Item("audit", "/audit", "/log"),),
    "help": (Item("help", "/help", None),),
}
"""By word of the menu: its pages, the first of which it leads to."""


def _letters() -> dict[str, str]:
    """A letter for each word of the menu: the first of its own that no word before it has."""
    taken: dict[str, str] = {}
    for word in MENU:
        letter = next(each for each in word if each.isalpha() and each not in taken.values())
        taken[word] = letter
    return taken


LETTERS: Final = _letters()
"""After `g` each opens its word (console.js)."""


def menu_of(found: Any) -> list[dict[str, Any]]:
    """The words of the menu for a visit, with the pages of the one that the visitor is in."""
    there = _existing(found.request.app)
    here = found.request.url.path
    words = []
    for word, items in MENU.items():
        open_ones = [each for each in items if each.address in there and opens(found, each)]
        if not open_ones:
            continue
        current = max(
            (each for each in items if _within(here, each.address)),
            key=lambda each: len(each.address),
            default=None,
        )
        words.append(
            {
                "key": word,
                "letter": LETTERS[word],
                "href": found.address(open_ones[0].address),
                "here": current is not None,
                "pages": [
                    {
                        "key": each.key,
                        "href": found.address(each.address),
                        "here": each is current,
                    }
                    for each in open_ones
                ],
            }
        )
    return words


def opens(found: Any, item: Item) -> bool:
    """Whether the visitor's role may see a page."""
    return item.query is None or QUERIES[item.query].get(found.author.role, "-") != "-"


def _within(here: str, address: str) -> bool:
    return here == address or here.startswith(address + "/")


def _existing(app: Any) -> frozenset[str]:
    """The addresses that have a page."""
    kept: frozenset[str] | None = getattr(app.state, "addresses", None)
    if kept is None:
        kept = frozenset(
            each.path
            for each in app.router.routes
            if isinstance(each, Route) and not each.path.startswith("/v1")
        )
        app.state.addresses = kept
    return kept
