"""Fund flow and entities over HTTP: from budget to where the money went, to the single event."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support import controls as c
from support.service import Callers, service

FIRM = {"account": "6222000000009999", "name": "某公司", "kind": "firm"}
SHOP = {"account": "6222000000008888", "name": "某店", "kind": "merchant"}
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"
AS_OF = "2024-01-31"


def submit(caller: Any, path: str, command: Any, *named: str) -> None:
    answer = caller.post(path, c.body(command, *named) | {"ref": command.ref})
    assert answer.status_code == 201, answer.text


def account(n: int) -> dict[str, str]:
    return {"account": f"62220000000000{n:02}", "name": "张三"}


@pytest.fixture(scope="module")
def callers(shared_database: Any) -> Iterator[Callers]:
    """Three households with 50 000 each. Two pay 45 000 to one firm, one of them through a shop.

    The third's loan was paid to the second's account, and a stranger repays the first's.
    """
    with service(shared_database) as callers:
        for n in (1, 2, 3):
            id_no = ("11010519491231002X", "440524188001010014", "411381198001011018")[n - 1]
            told = {"members": [{"name": "张三", "id_no": id_no, "relation": "户主", "head": True}]}
            home = c.household(ref=f"HH-{n}", household_no=f"H{n}", **told)
            submit(callers.BUREAU, "/households", home)
            loan = c.loan(ref=f"LN-{n}", loan_no=f"L{n}", contract_no=f"C{n}", household_no=f"H{n}",
                          borrower_id_no=id_no, payee=account(min(n, 2)),
                          credited_fen=5_000_000 - 100_000 * (n == 3))  # fmt: skip
            submit(callers.NRCB, "/loans", loan)
        fen = {"amount_fen": 4_500_000}
        flows = [
            c.outflow(ref="OF-1", loan_no="L1", to=FIRM, **fen),
            c.outflow(ref="OF-2", loan_no="L2", to=SHOP, **fen),
            c.outflow(ref="OF-3", loan_no="L2", to=FIRM, payer=SHOP_PAYER,
                      effective_on="2023-03-13", **fen),
        ]  # fmt: skip
        for flow in flows:
            submit(callers.NRCB, f"/loans/{flow.loan_no}/outflows", flow, "loan_no")
        submit(callers.NRCB, "/loans/L1/repayments", c.repay(payer=account(77)), "loan_no")
        submit(callers.FINANCE, "/loans/L1/subsidy-payments", c.pay(), "loan_no")
        diverted = c.check(finding="diverted", loan_no="L3")
        submit(callers.T01, "/loans/L3/usage-checks", diverted, "loan_no")
        callers.position = callers.client.get("/healthz").json()["log_position"]
        head = callers.AUDIT.get("/fund-flow", position=callers.position).json()
        callers.known_at = head["known_at"]
        yield callers


SHOP_PAYER = {"account": SHOP["account"], "name": SHOP["name"]}


def asked(callers: Callers, path: str, status: int = 200, **query: Any) -> Any:
    """An answer as of AS_OF, as known before any test told more."""
    known = {"as_of": AS_OF, "known_at": callers.known_at, "position": callers.position}
    answer = callers.AUDIT.get(path, **known | query)
    assert answer.status_code == status, answer.text
    return answer.json()


def pseudonym(callers: Callers, role: str, households: int) -> str:
    found = asked(callers, "/entities", kind="account", role=role)["lines"]
    [one] = [line for line in found if line["households"] == households]
    return str(one["pseudonym"])


def amounts(graph: Any) -> dict[tuple[str, str, str], int]:
    return {(e["from"], e["to"], e["kind"]): e["amount_fen"] for e in graph["edges"]}


def test_the_whole_county_is_a_graph_of_kinds_of_nodes(callers: Callers) -> None:
    graph = asked(callers, "/fund-flow")

    found = amounts(graph)
    assert found["bank", "account", "lent"] == 14_900_000
    assert found["bank", "bank", "withheld"] == 100_000
    assert found["treasury", "account", "subsidy"] == 46_639
    assert found["household", "account", "outflow"] == 9_000_000
    assert found["account", "account", "outflow"] == 4_500_000
    assert found["account", "bank", "repaid"] == 2_010_000
    assert {node["id"] for node in graph["nodes"]} == {"bank", "account", "household", "treasury"}
    early = asked(callers, "/fund-flow", as_of="2023-03-11")
    assert {edge["kind"] for edge in early["edges"]} == {"lent", "withheld", "own_account"}
    assert asked(callers, "/fund-flow", known_at="2020-01-01T00:00:00Z")["edges"] == []


def test_a_households_money_is_followed_as_far_as_is_asked(callers: Callers) -> None:
    shop, firm = pseudonym(callers, "receiver", 1), pseudonym(callers, "receiver", 2)

    near = amounts(asked(callers, "/fund-flow", household_no="H2", hops=1))
    far = amounts(asked(callers, "/fund-flow", household_no="H2", hops=2))

    assert ("household:H2", f"account:{shop}", "outflow") in near
    assert (f"account:{shop}", f"account:{firm}", "outflow") not in near
    assert far[f"account:{shop}", f"account:{firm}", "outflow"] == 4_500_000
    assert not any("household:H1" in (e[0], e[1]) for e in far), "others' roads to the firm apart"


def test_a_loan_and_an_account_are_followed_too(callers: Callers) -> None:
    firm = pseudonym(callers, "receiver", 2)

    loan = amounts(asked(callers, "/fund-flow", bank="NRCB", loan_no="L2", hops=3))
    around = amounts(asked(callers, "/fund-flow", account=firm, hops=3))

    assert sum(1 for key in loan if key[2] == "lent") == 1
    assert sum(fen for key, fen in loan.items() if key[1] == f"account:{firm}") == 4_500_000
    assert sum(fen for key, fen in around.items() if key[1] == f"account:{firm}") == 9_000_000
    assert sum(fen for key, fen in around.items() if key[2] == "lent") == 10_000_000


def test_every_edge_of_the_graph_is_the_sum_of_its_events(callers: Callers) -> None:
    loan = {"bank": "NRCB", "loan_no": "L2"}
    for path, named in (({}, {}), ({"household_no": "H1", "hops": 6}, {}), (loan, loan)):
        for edge in asked(callers, "/fund-flow", **path)["edges"]:
            ends = {"from": edge["from"], "to": edge["to"]}
            single = asked(
                callers, "/fund-flow/edges", kind=edge["kind"], year=edge["year"], **ends, **named
            )
            assert len(single["lines"]) == edge["movements"]
            assert sum(line["amount_fen"] for line in single["lines"]) == edge["amount_fen"]
    history = callers.AUDIT.get("/loans/L1/history").json()["events"]
    lines = asked(callers, "/fund-flow/edges", node="household:H1")["lines"]
    assert {line["event_id"] for line in lines} <= {event["event_id"] for event in history}


def test_the_single_edges_come_in_pages(callers: Callers) -> None:
    whole = asked(callers, "/fund-flow/edges")["lines"]
    pages, cursor = [], {}
    while True:
        page = asked(callers, "/fund-flow/edges", limit=2, **cursor)
        pages += page["lines"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert pages == whole


def test_the_graph_leaves_as_graphml_and_as_a_table(callers: Callers) -> None:
    query = {"as_of": AS_OF, "known_at": callers.known_at, "household_no": "H1", "hops": 3}
    graph = asked(callers, "/fund-flow", **query)

    answer = callers.AUDIT.get("/fund-flow", accept="application/graphml+xml", **query)
    table = callers.AUDIT.get("/fund-flow", accept="text/csv", **query)

    root = ET.fromstring(answer.content)
    keys = {
        k.get("id"): (k.get("attr.name"), k.get("attr.type")) for k in root.iter(f"{GRAPHML}key")
    }
    data = lambda e: {keys[d.get("key")][0]: d.text for d in e.iter(f"{GRAPHML}data")}  # noqa: E731
    nodes = {node.get("id"): data(node) for node in root.iter(f"{GRAPHML}node")}
    edges = [
        (nodes[e.get("source")]["name"], nodes[e.get("target")]["name"], data(e))
        for e in root.iter(f"{GRAPHML}edge")
    ]
    assert answer.headers["content-type"] == "application/graphml+xml"
    assert answer.headers["cache-control"] == "private, no-cache"  # its dates are final
    assert ("amount_fen", "long") in keys.values()
    assert [node["name"] for node in nodes.values()] == [node["id"] for node in graph["nodes"]]
    assert [(a, b, int(d["amount_fen"]), d["kind"]) for a, b, d in edges] == [
        (e["from"], e["to"], e["amount_fen"], e["kind"]) for e in graph["edges"]
    ]
    rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert len(rows) == len(graph["edges"]) + 1
    assert callers.AUDIT.get("/fund-flow", accept="application/xlsx", **query).status_code == 200


def test_misuse_is_a_range_over_the_methods_for_loans_and_for_accounts(callers: Callers) -> None:
    loans = asked(callers, "/fund-flow/misuse")

    found = {line["loan_no"]: line for line in loans["lines"] if line["money"] == "loan"}
    assert found["L1"]["min_fen"] == found["L1"]["max_fen"] == 4_500_000
    assert found["L2"]["min_fen"] == 4_500_000, "through the shop"
    assert found["L3"]["min_fen"] == found["L3"]["diverted_fen"] == 5_000_000
    assert found["L3"]["diverted_on"] == "2023-06-08"
    assert loans["rulings"][0]["name"] == "misuse_receivers"
    [firm] = asked(callers, "/fund-flow/misuse", by="account")["lines"]
    assert (firm["households"], firm["loans"], firm["min_fen"]) == (2, 2, 9_000_000)
    assert (firm["receivers"], len(firm["positions"])) == (["firm"], 2)
    edges = asked(callers, "/fund-flow/edges", node=f"account:{firm['pseudonym']}")["lines"]
    assert firm["positions"] == [edge["position"] for edge in edges]
    before = asked(callers, "/fund-flow/misuse", as_of="2023-03-12")["lines"]
    assert {line["loan_no"] for line in before} == {"L1"}
    for by in ("loan", "account"):
        assert callers.AUDIT.get("/fund-flow/misuse", accept="text/csv", by=by).status_code == 200


def test_payments_that_hang_on_nothing_are_counted_and_listed(callers: Callers) -> None:
    counted = {x["category"]: x["payments"] for x in asked(callers, "/fund-flow/unlinked")["lines"]}

    assert counted == {
        "repayment_payer_unknown": 1,
        "subsidy_payee_unknown": 0,
        "subsidy_without_batch": 1,
        "subsidy_without_money": 1,
        "outflow_receiver_unknown": 0,
        "transfer_elsewhere": 0,
        "loan_flow_unobserved": 3,
    }
    [one] = asked(callers, "/fund-flow/unlinked", category="repayment_payer_unknown")["lines"]
    assert (one["loan_no"], one["amount_fen"]) == ("L1", 2_010_000)
    loans = asked(callers, "/fund-flow/unlinked", category="loan_flow_unobserved", limit=2)
    assert [(x["observed_fen"], x["share_bp"]) for x in loans["lines"]] == [(4_500_000, 9000)] * 2
    more = {"category": "loan_flow_unobserved", "cursor": loans["next"]}
    [last] = asked(callers, "/fund-flow/unlinked", **more)["lines"]
    assert (last["loan_no"], last["amount_fen"]) == ("L3", 4_900_000)


def test_each_other_kind_of_loose_payment_is_found(callers: Callers) -> None:
    stranger = {"account": "6222000000005555", "name": "某人"}
    pay = c.pay(ref="PAY-2", loan_no="L2", payee=stranger, amount_fen=100, voucher="V-9")
    submit(callers.FINANCE, "/loans/L2/subsidy-payments", pay, "loan_no")
    flow = c.outflow(ref="OF-9", loan_no="L3", amount_fen=5, to={**stranger, "kind": "unknown"})
    submit(callers.NRCB, "/loans/L3/outflows", flow, "loan_no")
    allocation = c.allocate(effective_on="2023-06-01", amount_fen=46_639)
    submit(callers.FINANCE, "/funds/allocations", allocation)
    submit(callers.FINANCE, "/funds/transfers", c.transfer())
    submit(callers.FINANCE, "/funds/transfers", c.transfer(ref="BF-2", payee="NRCB"))
    submit(callers.FINANCE, "/funds/transfers", c.transfer(ref="BF-3", payee="某办公室"))
    position = callers.client.get("/healthz").json()["log_position"]

    later = {"position": position, "known_at": "2999-01-01T00:00:00Z"}

    def count(**query: Any) -> dict[str, int]:
        lines = asked(callers, "/fund-flow/unlinked", **query)["lines"]
        return {line["category"]: line["payments"] for line in lines}

    now, then = count(**later), count()
    assert {name for name in now if now[name] != then[name]} == {
        "subsidy_payee_unknown", "subsidy_without_batch", "outflow_receiver_unknown",
        "transfer_elsewhere",
    }  # fmt: skip
    assert now["transfer_elsewhere"] == 1
    [bare] = asked(callers, "/fund-flow/unlinked", category="subsidy_without_money", **later)[
        "lines"
    ]
    assert (bare["loan_no"], bare["observed_fen"]) == ("L2", 46_639), "the first one is covered now"
    [line] = asked(callers, "/fund-flow/unlinked", category="transfer_elsewhere", **later)["lines"]
    assert line["payee"] == "某办公室"


def test_one_account_is_known_across_households_and_banks(callers: Callers) -> None:
    shared = asked(callers, "/entities", kind="account", shared=True)["lines"]

    assert {(tuple(x["roles"]), x["households"], x["loans"]) for x in shared} == {
        (("payee",), 2, 2),
        (("receiver",), 2, 2),
    }
    code = next(x["pseudonym"] for x in shared if x["roles"] == ["payee"])
    one = asked(callers, f"/entities/{code}")["lines"]
    assert [(x["household_no"], x["in_fen"]) for x in one] == [("H2", 5_000_000), ("H3", 4_900_000)]
    history = callers.AUDIT.get("/loans/L2/history").json()["events"]
    assert one[0]["event_id"] in {event["event_id"] for event in history}
    early = asked(callers, "/entities", kind="account", shared=True, as_of="2023-03-11")["lines"]
    assert len(early) == 1
    persons = asked(callers, "/entities", kind="person")["lines"]
    assert [(x["households"], x["roles"]) for x in persons] == [(1, ["borrower", "member"])] * 3
    assert asked(callers, "/entities", kind="person", shared=True)["lines"] == []


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/fund-flow", {"household_no": "H9"}, 404),
        ("/fund-flow", {"batch_no": "PC-9"}, 404),
        ("/fund-flow", {"account": "account-" + "0" * 24}, 404),
        ("/fund-flow", {"account": "6222000000009999"}, 422),
        ("/fund-flow", {"bank": "NRCB", "loan_no": "L9"}, 404),
        ("/fund-flow", {"loan_no": "L1"}, 422),
        ("/fund-flow", {"bank": "NRCB"}, 422),
        ("/fund-flow", {"household_no": "H1", "batch_no": "PC-1"}, 422),
        ("/fund-flow", {"household_no": "H1", "hops": 0}, 422),
        ("/fund-flow", {"household_no": "H1", "hops": 7}, 422),
        ("/fund-flow/edges", {"node": "household:H9"}, 404),
        ("/fund-flow/edges", {"node": "nothing:H1"}, 422),
        ("/fund-flow/edges", {"from": "nothing:H1"}, 422),
        ("/fund-flow/edges", {"to": "nothing:H1"}, 422),
        ("/fund-flow/edges", {"cursor": "x"}, 422),
        ("/fund-flow/edges", {"kind": "x"}, 422),
        ("/fund-flow/misuse", {"by": "x"}, 422),
        ("/fund-flow/unlinked", {"category": "x"}, 422),
        ("/entities", {"kind": "x"}, 422),
        ("/entities", {"kind": "account", "cursor": "WyJcdTAwMDAiXQ"}, 422),
        ("/entities/account-" + "0" * 24, {}, 404),
        ("/entities/6222000000009999", {}, 422),
    ],
)
def test_what_is_not_there_and_what_cannot_be_asked(
    callers: Callers, path: str, query: dict[str, Any], status: int
) -> None:
    asked(callers, path, status, **query)


def test_the_countys_offices_and_auditors_alone_see_it(callers: Callers) -> None:
    for path in (
        "/fund-flow", "/fund-flow/edges", "/fund-flow/misuse", "/fund-flow/unlinked",
        "/entities", f"/entities/person-{'0' * 24}",
    ):  # fmt: skip
        for who in ("NRCB", "T01", "DB", "ADMIN"):
            assert getattr(callers, who).get(path).status_code == 403, (path, who)
        for who in ("CENTRE", "BUREAU", "FINANCE", "AUDIT"):
            assert getattr(callers, who).get(path).status_code in (200, 404), (path, who)
