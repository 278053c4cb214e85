"""The examples of a red flag (`examples.toml`) as commands: a line names what matters.

    [[example]]
    name = "two loans of a household, the younger over the cap"
    flagged = ["H1"]                                  # the subjects; [] when the rule must spare it
    loans = ["L1 H1 2023-03-10", "L2 H1 2023-03-20 25000 by=PSBC"]

A line is the words of its noun (NOUNS), yuan for amounts, then `field=value` as the contract calls
the field, fen for amounts; the rest comes from controls. An item may be a TOML table as well, with
`line` and whole fields. Besides the fields:
  by=PSBC            who submits it; without, the office that does so, or the loan's bank
  recorded_on=DAY    when it is recorded
  document=TEXT      its ground
Accounts: `H1` is the household's card, any other word some other account; where money goes to, its
kind stands before it (`firm-a`). Persons: `H1.head`, `H1.spouse`, or a whole identity number.
Households that loans name are registered, unless `households` says which are.
Households first, then lines are recorded in the order in which they stand, and what `then` holds
after them: all on 2026-01-01, or with `same_day = true` each on its own day, not before 2023.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from support import controls as c

from application.command import Command
from application.commands.batch import (
    ApproveBatch,
    OrderPayment,
    PostNotice,
    ProposeBatch,
    ReturnBatch,
    TellResult,
    VerifyBatch,
)
from domain.kernel import Author
from projections.red_flags import folders

_AUTHORS = {
    "NRCB": c.BANK, "PSBC": c.OTHER_BANK, "T01": c.TOWNSHIP, "CENTRE": c.CENTRE,
}  # fmt: skip
_TEXTS = {"document", "paid", "borrower_id_no", "head"}
Words = dict[str, Any]


class Line(NamedTuple):
    """One command before it is built. `name`: how a correction or a payment's recovery calls it."""

    noun: str
    name: str
    words: Words
    by: Author
    recorded_on: date | None


class Example(NamedTuple):
    """What is recorded, and whom the rule must flag on a day."""

    name: str
    flagged: tuple[str, ...]
    lines: tuple[Line, ...]
    as_of: date = date(2024, 1, 1)


class Noun(NamedTuple):
    """The words of a line in their order, the command they make, and who submits it."""

    words: str
    make: Callable[..., Command]
    by: Author


def account(word: str) -> str:
    """The number of an account."""
    return f"6222{int.from_bytes(word.rpartition('-')[2].encode()):015}"


def person(word: str) -> str:
    """`H1.head`, `H1.spouse`, or an identity number as it stands."""
    home, _, member = word.partition(".")
    return c.id_no(int(home[1:]) + 100 * (member == "spouse")) if member else word


def _holder(word: str) -> Words:
    return {"account": account(word), "name": "张三"}


def _household(household_no: str, head: str = "", **words: Any) -> Command:
    named = {"head": (head or f"{household_no}.head", "张三", "户主"),
             "spouse": (f"{household_no}.spouse", "李四", "配偶")}  # fmt: skip
    members = [
        {"id_no": person(id_no), "name": name, "relation": relation, "head": member == "head"}
        for member, (id_no, name, relation) in named.items()
    ]
    return c.household(**{"household_no": household_no, "members": members} | words)


def _loan(loan_no: str, household_no: str, effective_on: str, **words: Any) -> Command:
    principal_fen = words.get("principal_fen", 5_000_000)
    borrower = words.pop("borrower_id_no", f"{household_no}.head")
    defaults = {
        "loan_no": loan_no, "household_no": household_no, "effective_on": effective_on,
        "contract_no": f"C-{loan_no}", "contract_on": effective_on, "credited_fen": principal_fen,
        "borrower_id_no": person(borrower), "payee": _holder(household_no),
    }  # fmt: skip
    return c.loan(**defaults | words)


def _repayment(**words: Any) -> Command:
    return c.repay(**{"interest_fen": 0} | words)


def _outflow(to: str, **words: Any) -> Command:
    kind, _, _ = to.partition("-")
    return c.outflow(to=_holder(to) | {"kind": kind}, **words)


def _member_left(reason: str, code: str | None = None, **words: Any) -> Command:
    gone = {"id_no": person(f"{words['household_no']}.spouse"), "reason": reason, "code": code}
    return c.members(**words, added=[], left=[gone])


def _rulings(**words: Any) -> Command:
    own = {name: words.pop(name) for name in ("ref", "effective_on", "ground") if name in words}
    rulings = [{"rule": rule, "value": value} for rule, value in words.items()]
    return c.ruling(**own, rulings=rulings)


def _plan(due_on: str, amount_fen: int, **words: Any) -> Command:
    return c.plan(**words, instalments=[{"due_on": due_on, "amount_fen": amount_fen}])


def _agreement(household_no: str, due_on: str, amount_fen: int, **words: Any) -> Command:
    due = {"due_on": due_on, "kind": "dividend", "amount_fen": amount_fen}
    return c.agreement(**words, households=[household_no], instalments=[due])


def _extension(effective_on: str, **words: Any) -> Command:
    return c.extend(**{"effective_on": effective_on, "agreed_on": effective_on} | words)


def _step(kind: type[Command], **defaults: Any) -> Callable[..., Command]:
    return lambda **words: kind.model_validate(defaults | words)


def _result(paid: str, **words: Any) -> Command:
    results = [{"line": int(n), "paid": True, "voucher": f"V{n}"} for n in paid.split(",")]
    return TellResult.model_validate(words | {"results": results})


def _batch(**words: Any) -> Command:
    return ProposeBatch.model_construct(**words)  # its run is worked out when it is recorded


NOUNS = {
    "households": Noun("household_no", _household, c.BUREAU),
    "demands": Noun("household_no effective_on amount_fen", c.demand, c.TOWNSHIP),
    "ratings": Noun("household_no effective_on grade score", c.rating, c.TOWNSHIP),
    "statuses": Noun("household_no effective_on category", c.status, c.BUREAU),
    "members_left": Noun("household_no effective_on reason code", _member_left, c.BUREAU),
    "loans": Noun("loan_no household_no effective_on principal_fen", _loan, c.BANK),
    "outflows": Noun("loan_no effective_on amount_fen to", _outflow, c.BANK),
    "repayments": Noun("loan_no effective_on principal_fen", _repayment, c.BANK),
    "extensions": Noun("loan_no effective_on new_due_on", _extension, c.BANK),
    "reminders": Noun("loan_no effective_on kind channel", c.remind, c.BANK),
    "checks": Noun("loan_no effective_on finding", c.check, c.TOWNSHIP),
    "plans": Noun("loan_no effective_on due_on amount_fen", _plan, c.TOWNSHIP),
    "reports": Noun("period effective_on loans households", c.report, c.BANK),
    "subsidies": Noun("loan_no period effective_on amount_fen", c.pay, c.FINANCE),
    "recoveries": Noun("loan_no payment_no effective_on amount_fen", c.recover, c.FINANCE),
    "rulings": Noun("effective_on", _rulings, c.CENTRE),
    "allocations": Noun("year effective_on amount_fen", c.allocate, c.FINANCE),
    "transfers": Noun("year effective_on amount_fen payer payee", c.transfer, c.FINANCE),
    "batches": Noun("batch_no period effective_on", _batch, c.CENTRE),
    "verifications": Noun("batch_no effective_on", _step(VerifyBatch), c.BUREAU),
    "returns": Noun("batch_no effective_on reason", _step(ReturnBatch), c.BUREAU),
    "notices": Noun("batch_no level effective_on until_on", _step(PostNotice, place="公示栏"),
                    c.TOWNSHIP),
    "approvals": Noun("batch_no effective_on", _step(ApproveBatch), c.FINANCE),
    "orders": Noun("batch_no bank effective_on", _step(OrderPayment), c.SECOND_FINANCE),
    "results": Noun("batch_no effective_on paid", _result, c.BANK),
    "risk_fund": Noun("effective_on amount_fen", c.risk_fund_payment, c.FINANCE),
    "compensations": Noun("loan_no effective_on loss_fen", c.compensation, c.FINANCE),
    "agreements": Noun("agreement_no household_no effective_on due_on amount_fen", _agreement,
                       c.TOWNSHIP),
    "benefits": Noun("agreement_no household_no effective_on amount_fen", c.benefit_payment,
                     c.TOWNSHIP),
    "looks": Noun("household_no effective_on", c.look, c.BANK),
    "corrections": Noun("of corrected_on", c.correct, c.BANK),
}  # fmt: skip


@cache
def examples_of(id: str) -> tuple[Example, ...]:
    """The examples of a rule. Raises ValueError for a noun, a word or a field that is none."""
    text = folders()[id].joinpath("examples.toml").read_text("utf-8")
    return tuple(_example(**each) for each in tomllib.loads(text)["example"])


def _example(
    name: str,
    flagged: list[str],
    as_of: date = date(2024, 1, 1),
    same_day: bool = False,
    then: Sequence[dict[str, list[Any]]] = (),
    **nouns: list[Any],
) -> Example:
    groups = [nouns, *then]
    if unknown := {noun for group in groups for noun in group} - NOUNS.keys():
        raise ValueError(f"{name}: no such noun: {sorted(unknown)}")
    homes = dict.fromkeys(line.split()[1] for group in groups for line in group.get("loans", ()))
    groups.insert(0, {"households": nouns.pop("households", list(homes))})
    lines = [
        line
        for n, group in enumerate(groups)
        for noun, items in group.items()
        for line in _lines(noun, items, same_day, n)
    ]
    loans = {line.name: line for line in lines if line.noun == "loans"}
    lines = [_of_its_loan(line, loans) for line in lines]
    if same_day:
        lines.sort(key=lambda line: line.recorded_on or date.min)
    return Example(name, tuple(flagged), tuple(lines), as_of)


def _lines(noun: str, items: list[Any], same_day: bool, group: int) -> Iterator[Line]:
    for n, item in enumerate(items, 1):
        whole = {} if isinstance(item, str) else dict(item)
        words = _words(noun, whole.pop("line") if whole else item) | whole
        by = words.pop("by", "")
        author = _AUTHORS[by] if by else None
        on = words.pop("recorded_on", None)
        if on is None and same_day:
            on = words.get("corrected_on", words.get("effective_on", "2020-01-01"))
        if noun == "subsidies":
            name = f"{words['loan_no']}-{words['period']}"
        else:
            name = words[NOUNS[noun].words.split()[0]]
        words.setdefault("ref", name if noun == "subsidies" else f"{noun}-{group}-{n}")
        yield Line(noun, name, words, author or NOUNS[noun].by, on and date.fromisoformat(on))


def _words(noun: str, line: str) -> Words:
    """Raises ValueError."""
    plain = [word for word in line.split() if "=" not in word]
    names = NOUNS[noun].words.split()
    if len(plain) > len(names):
        raise ValueError(f"{noun}: a line is {NOUNS[noun].words!r}, not {line!r}")
    words = {
        name: int(Decimal(word) * 100) if name.endswith("_fen") else _value(noun, name, word)
        for name, word in zip(names, plain, strict=False)
    }
    named = dict(word.split("=", 1) for word in line.split() if "=" in word)
    return words | {name: _value(noun, name, word) for name, word in named.items()}


def _value(noun: str, name: str, word: str) -> Any:
    if name in ("payee", "payer") and noun != "transfers":
        return _holder(word)
    if word in ("true", "false"):
        return word == "true"
    return int(word) if word.isdigit() and name not in _TEXTS else word


def _of_its_loan(line: Line, loans: dict[str, Line]) -> Line:
    """The same, with the loan's bank and its household's card where the line says nothing else."""
    loan = loans.get(line.words.get("loan_no", line.name))
    if line.noun == "corrections" and line.name[0] == "H":
        return line._replace(by=c.BUREAU)
    if loan is None or line is loan:
        return line
    if line.noun in ("checks", "subsidies", "recoveries", "compensations"):
        line.words.setdefault("bank", loan.by.organisation)
    if side := {"subsidies": "payee", "repayments": "payer"}.get(line.noun):
        line.words.setdefault(side, _holder(loan.words["household_no"]))
    return line._replace(by=loan.by) if line.by == c.BANK else line


def command_of(line: Line) -> Command:
    """The command of a line; of a correction there is none until its event is known."""
    words = dict(line.words)
    if "document" in words:
        words["ground"] = {"document": words.pop("document")}
    return NOUNS[line.noun].make(**words)


def correction_of(line: Line, corrected: Line, event_id: str) -> Command:
    """A correction: with the line's fields in place of the corrected one's, or without any."""
    words = dict(line.words)
    own = {"ref": words.pop("ref"), "effective_on": words.pop("corrected_on"), "event_id": event_id}
    del words["of"]
    if words:
        own["replacement"] = c.body(command_of(corrected._replace(words=corrected.words | words)))
    return c.correct(**own)
