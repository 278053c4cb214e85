"""The Sankey picture: whatever flows, no amount is dropped, and nothing lies over another."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from interface.console.drawing.sankey import BACK, MOST, Flow, Picture, sankey

KINDS = (
    ("treasury", "budget", "allocated"), ("budget", "budget", "reserved"),
    ("budget", "budget", "released"), ("budget", "batch", "spent"), ("batch", "budget", "unspent"),
    ("office", "office", "transfer"), ("office", "bank", "transfer"), ("bank", "bank", "transfer"),
    ("bank", "account", "lent"), ("bank", "household", "lent"), ("bank", "bank", "withheld"),
    ("treasury", "account", "subsidy"), ("batch", "household", "subsidy"),
    ("batch", "bank", "subsidy"), ("account", "batch", "returned"),
    ("household", "batch", "returned"),
    ("household", "treasury", "recovered"), ("bank", "treasury", "recovered"),
    ("account", "household", "own_account"), ("household", "account", "own_account"),
    ("household", "account", "outflow"), ("account", "account", "outflow"),
    ("account", "bank", "repaid"), ("household", "bank", "repaid"),
    ("enterprise", "household", "dividend"), ("payer", "risk_fund", "paid_in"),
    ("risk_fund", "bank", "compensated"), ("bank", "risk_fund", "compensation_recovered"),
)  # fmt: skip
ALONE = ("treasury", "risk_fund", "payer")


def node(dice: random.Random, kind: str, names: int) -> str:
    if kind in ALONE:
        return kind
    name = str(dice.randrange(names))
    return (
        f"budget:2024/{dice.choice(('free', 'reserved'))}" if kind == "budget" else f"{kind}:{name}"
    )


def flows(seed: int) -> list[Flow]:
    """Any money between any nodes, rings too; one flow of a kind between two."""
    dice = random.Random(seed)
    names = dice.choice((1, 3, 12, 60))
    found: dict[tuple[str, str, str, bool], int] = Counter()
    for _ in range(dice.choice((1, 5, 40, 200))):
        source, target, kind = dice.choice(KINDS)
        key = (node(dice, source, names), node(dice, target, names), kind, dice.random() < 0.2)
        found[key] += dice.choice((1, 99, 5_000_000, 40_000_000_000))
    return [Flow(*key[:3], fen, key[3]) for key, fen in found.items()]


def drawn_fen(picture: Picture) -> int:
    return sum(ribbon.flow.amount_fen for ribbon in picture.ribbons)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_flows_is_drawn_whole(seed: int) -> None:
    given = flows(seed)
    picture = sankey(given)

    assert drawn_fen(picture) == sum(flow.amount_fen for flow in given)
    for flagged in (True, False):
        of = [flow.amount_fen for flow in given if flow.flagged is flagged]
        assert sum(r.flow.amount_fen for r in picture.ribbons if r.flow.flagged is flagged) == sum(
            of
        )
    into, out = Counter[int](), Counter[int]()
    for ribbon in picture.ribbons:
        assert ribbon.source.column < ribbon.target.column, "no ribbon leads back"
        out[id(ribbon.source)] += ribbon.flow.amount_fen
        into[id(ribbon.target)] += ribbon.flow.amount_fen
    for bar in picture.bars:
        assert (into[id(bar)], out[id(bar)]) == (bar.in_fen, bar.out_fen)
        assert bar.amount_fen == max(bar.in_fen, bar.out_fen) > 0


@pytest.mark.parametrize("seed", range(60))
def test_no_bar_lies_over_another_and_every_ribbon_on_its_bars(seed: int) -> None:
    picture = sankey(flows(seed))

    columns: dict[int, list[tuple[float, float]]] = {}
    for bar in picture.bars:
        columns.setdefault(bar.column, []).append((bar.y, bar.y + bar.slot))
        assert bar.top >= 0 and bar.top + bar.height <= picture.height
        assert 0 <= bar.x <= picture.width
    for slots in columns.values():
        for (_, end), (begin, _) in zip(sorted(slots), sorted(slots)[1:], strict=False):
            assert begin >= end
    for side, along in (("source", "begin"), ("target", "end")):
        at: dict[int, list[tuple[float, float]]] = {}
        for ribbon in picture.ribbons:
            bar, first = getattr(ribbon, side), getattr(ribbon, along)
            assert bar.top - 0.02 <= first
            assert first + ribbon.thick <= bar.top + bar.height + 0.02
            at.setdefault(id(bar), []).append((first, first + ribbon.thick))
        for spans in at.values():
            for (_, end), (begin, _) in zip(sorted(spans), sorted(spans)[1:], strict=False):
                assert begin >= end - 0.02, "ribbons lie beside each other at a bar"


@pytest.mark.parametrize("seed", range(20))
def test_the_same_flows_are_the_same_picture_in_whatever_order_they_come(seed: int) -> None:
    given = flows(seed)
    again = list(given)
    random.Random(seed).shuffle(again)

    def told(picture: Picture) -> list[object]:
        bars = [(b.place, round(b.y, 6), round(b.height, 6)) for b in picture.bars]
        return [*bars, *sorted(ribbon.path for ribbon in picture.ribbons)]

    same = told(sankey(given)) == told(sankey(again))
    assert same, "a difference of long lists takes minutes to tell"


def test_a_node_that_gives_and_takes_back_stands_twice() -> None:
    picture = sankey(
        [
            Flow("bank:N", "account:a", "lent", 500),
            Flow("account:a", "household:H", "own_account", 500),
            Flow("household:H", "account:a", "own_account", 300),
            Flow("account:a", "bank:N", "repaid", 300),
        ]
    )
    stands = Counter(bar.place.node for bar in picture.bars)
    assert stands == {"bank:N": 2, "account:a": 2, "household:H": 1}
    assert [bar.place.stage for bar in picture.bars if bar.place.node == "bank:N"][-1] == BACK


def many(count: int) -> list[Flow]:
    return [Flow("bank:N", f"household:H{n:03}", "lent", 100 + n) for n in range(count)]


def test_the_smallest_are_taken_together_and_opened_again() -> None:
    picture = sankey(many(60), focus="household:H000")

    assert len(picture.bars) == MOST
    [others] = picture.folded
    assert others.amount_fen == sum(100 + n for n in range(1, 60)) - sum(
        bar.amount_fen for bar in picture.bars
        if bar.place.node.startswith("household:") and bar.place.node != "household:H000"
    )  # fmt: skip
    assert "household:H000" in {bar.place.node for bar in picture.bars}, "what is asked about stays"
    assert drawn_fen(picture) == drawn_fen(sankey(many(60), opened={"household"}))
    assert len(sankey(many(60), opened={"household"}).bars) == 61
    assert not sankey(many(MOST - 1)).folded


def test_thin_ribbons_lie_on_thick_ones() -> None:
    thick = [ribbon.thick for ribbon in sankey(many(10)).ribbons]
    assert thick == sorted(thick, reverse=True)
