"""What the nodes and edges of the fund flow are called, and which record a node leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from unicodedata import east_asian_width

from domain.money import in_wan
from interface.console.drawing.sankey import BACK, OWN, RECEIVER, RESERVED, Bar
from interface.console.findings import finding_address
from interface.console.frame import Visit
from projections.fund_flow import kind_of
from projections.fund_flow.flagged import Flag
from projections.red_flags import rule

_LEDGERS: Final = {
    "treasury": "/ledgers/funds",
    "budget": "/ledgers/funds",
    "risk_fund": "/ledgers/risk-fund",
    "payer": "/ledgers/risk-fund",
}
_RECORDS: Final = {"account": "entities", "household": "households", "batch": "batches"}
_LISTS: Final = {"bank": "/ledgers/loans", "enterprise": "/benefits"}
_ENDING: Final = 6
_WIDEST: Final = 24
"""Of a label, in Latin letters; the whole name stands in the title."""


def names_of(found: Visit) -> Names:
    return Names(found, {o.code: o.name for o in found.service.people.organisations()})


class Names:
    """Of one visit, in its language."""

    def __init__(self, found: Visit, organisations: dict[str, str]) -> None:
        self._found, self._words, self._organisations = found, found.words, organisations

    def node(self, node: str) -> str:
        """A node as a line of the table calls it: 账户 …9cf3a5."""
        kind, _, name = node.partition(":")
        word = self.node_kind(kind)
        if not name:
            return word
        if kind == "account":
            return f"{word} …{name[-_ENDING:]}"
        if kind in ("bank", "office"):
            return self._organisations.get(name, name)
        if kind == "budget":
            year, _, part = name.partition("/")
            return self._words("flow.budget", year=year, part=self._words(f"flow.budget_{part}"))
        return f"{self._words('flow.home') if kind == 'household' else word} {name}"

    def node_kind(self, kind: str) -> str:
        return self._words(f"node.{kind}")

    def kind(self, kind: str) -> str:
        """A kind of movement."""
        return self._words(f"edge.{kind}")

    def bar(self, bar: Bar) -> tuple[str, str]:
        """What stands beside a bar: its name, and its amount in 万元."""
        return _clipped(self.bar_name(bar)), in_wan(bar.amount_fen)

    def bar_name(self, bar: Bar) -> str:
        """The whole name; what takes back says so, and a kind of accounts says in what part."""
        node, stage = bar.place.node, bar.place.stage
        if not node:
            kinds = {kind_of(each) for each in bar.stands_for}
            word = self.node_kind(kinds.pop()) if len(kinds) == 1 else self._words("flow.nodes")
            return self._words("flow.others", count=len(bar.stands_for), kind=word)
        name = self.node(node)
        if stage == BACK:
            return self._words("flow.back", name=name)
        if node == "account":
            part = "own" if stage == OWN else bar.place.role or "payer"
            return self._words(f"flow.account_{part}")
        if node == "budget":
            part = "reserved" if stage == RESERVED else "free"
            return self._words("flow.budget_of_all", part=self._words(f"flow.budget_{part}"))
        again = stage > RECEIVER and bar.place.role == "" and kind_of(node) != "account"
        return self._words("flow.back", name=name) if again else name

    def href(self, node: str) -> str:
        """The record of a node; of one that has none, the movements at it."""
        kind, _, name = node.partition(":")
        if kind in _LEDGERS:
            return self._found.address(_LEDGERS[kind])
        if name and kind in _RECORDS:
            return self._found.to(_RECORDS[kind], name)
        if name and kind in _LISTS:
            return self._found.address(_LISTS[kind], **{kind: name})
        return self._found.address("/fund-flow/edges", node=node)

    def rule(self, flag: Flag) -> str:
        """A finding's rule, with its number."""
        found = rule(flag.rule)
        name = found.title_zh if self._words.language == "zh" else found.title_en
        return f"{flag.rule} {name}"

    def finding(self, flag: Flag) -> str:
        """Where the finding stands."""
        return finding_address(self._found, flag.rule, flag.subject)

    def title(self, asked: Any, seen: Any) -> str:
        """The page's heading: what the picture says."""
        if asked.start is None:
            return self._words("flow.title")
        if asked.focus is None:
            return self._words("flow.title_loan", no=asked.loan_no)
        name = self.node(asked.focus)
        if seen is not None and seen.households > 1:
            return self._words("flow.title_pooled", name=name, count=seen.households)
        return self._words("flow.title_of", name=name)

    def message(self, asked: Any, seen: Any) -> str:
        """The picture in a sentence, for who does not see it."""
        nodes = {end for line in seen.lines for end in (line.source, line.target)}
        return self._words(
            "flow.message",
            title=self.title(asked, seen),
            nodes=len(nodes),
            edges=len(seen.lines),
            flagged=sum(1 for line in seen.lines if line.flags),
        )


class NodeNames(Mapping[Any, str]):
    """The names of nodes, as a list looks up what codes are called."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __getitem__(self, node: Any) -> str:
        if not node:
            raise KeyError(node)
        return self._names.node(str(node))

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _clipped(name: str) -> str:
    """As much of a name as there is room for; a Chinese character is as wide as two letters."""
    width = 0
    for place, letter in enumerate(name):
        width += 2 if east_asian_width(letter) in "WF" else 1
        if width > _WIDEST:
            return name[: place - 1] + "…"
    return name
