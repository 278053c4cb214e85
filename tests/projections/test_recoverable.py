"""What a flag on subsidy claims is what can be recovered, and nothing stays when it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from random import Random
from typing import Any, NamedTuple

import pytest
from support import controls as c
from support.county import SteppingClock, conversation, drawn

from application.command import Command
from application.ledger import Ledger, Recorded
from domain.calendar import DAY, quarter
from domain.kernel import Author
from projections.red_flags import check, rule

Q2 = quarter(2023, 2)
LATER = date(2024, 6, 1)
UNIT = 360 * 10_000
PERIOD = "2023Q2"


class County:
    """One ledger in which each household borrows once or twice, and what is told of it."""

    def __init__(self, database: Any, ledger: Ledger, clock: SteppingClock) -> None:
        self.database, self.ledger, self.clock = database, ledger, clock
        self.number = 0

    def submit(self, command: Command, by: Author) -> Recorded:
        return self.ledger.submit(command, by)

    def household(self, fen: int = 5_000_000, loan_no: str = "L", **other: Any) -> str:
        """A household with a loan; returns the loan's number."""
        self.number += 1
        n = self.number
        told = c.household(ref=f"HH-{n}", household_no=f"H{n}",
                           members=[{"name": "某", "id_no": c.id_no(n), "relation": "户主",
                                     "head": True}])  # fmt: skip
        self.submit(told, c.BUREAU)
        return self.lend(n, fen, f"{loan_no}{n}", **other)

    def lend(self, n: int, fen: int, loan_no: str, by: Author = c.BANK, **other: Any) -> str:
        loan = c.loan(ref=f"LN-{loan_no}", loan_no=loan_no, contract_no=loan_no,
                      household_no=f"H{n}", borrower_id_no=c.id_no(n), principal_fen=fen,
                      credited_fen=fen, **other)  # fmt: skip
        self.submit(loan, by)
        return loan_no

    def pay(self, loan_no: str, fen: int, part: str = "", bank: str = "NRCB") -> str:
        ref = f"PAY-{loan_no}{part}"
        self.submit(
            c.pay(ref=ref, loan_no=loan_no, bank=bank, amount_fen=fen, voucher=ref), c.FINANCE
        )
        return ref

    def repay(self, loan_no: str, fen: int, on: date, part: str = "") -> Recorded:
        told = c.repay(ref=f"RP-{loan_no}{part}", loan_no=loan_no, principal_fen=fen,
                       interest_fen=0, effective_on=on)  # fmt: skip
        return self.submit(told, c.BANK)

    def recover(self, loan_no: str, payment_no: str, fen: int, bank: str = "NRCB") -> None:
        ref = f"REC-{payment_no}-{self.clock.now:%H%M%S}"
        self.submit(c.recover(ref=ref, loan_no=loan_no, bank=bank, payment_no=payment_no,
                            amount_fen=fen, voucher=ref), c.FINANCE)  # fmt: skip

    def found(self, flag: str) -> dict[str, int]:
        """What a flag claims of each subject, in fen."""
        with drawn(self.database) as facts, facts.at(LATER) as view:
            checked = check(view, rule(flag))
        assert checked.error is None
        return {each.subject: each.amount_fen for each in checked.findings}


def fen_of(fen_days: int) -> int:
    """A quarter's subsidy at 3.65 %, rounded once."""
    return (2 * fen_days * 365 + UNIT) // (2 * UNIT)


@pytest.fixture
def county(database: Any) -> Iterator[County]:
    clock = SteppingClock(datetime(2023, 12, 1, tzinfo=UTC))
    with conversation(database, clock=clock) as ledger:
        yield County(database, ledger, clock)


def test_a_difference_of_rounded_totals_comes_back_to_the_fen(county: County) -> None:
    """50 000 for 92 days is 466.39, for 10 of them 50.69; the 82 days alone would be 415.69."""
    loan = county.household()
    payment = county.pay(loan, 46_639)
    county.repay(loan, 5_000_000, Q2.first + 10 * DAY)
    assert county.found("RF02") == {f"NRCB/{loan} {PERIOD}": 41_570}
    county.recover(loan, payment, 41_569)
    assert county.found("RF02") == {f"NRCB/{loan} {PERIOD}": 1}
    county.recover(loan, payment, 1)
    assert county.found("RF02") == {}


def test_no_more_is_claimed_than_was_paid_and_nothing_of_what_was_due_anyway(
    county: County,
) -> None:
    """Of 50 000 repaid after 41 days 207.85 is due: 10.00 was none too much, 300.00 by 92.15."""
    little, much, all_of_it = county.household(), county.household(), county.household()
    county.pay(little, 1_000)
    part = county.pay(much, 30_000)
    county.pay(all_of_it, 1_000)
    for loan, days in ((little, 41), (much, 41), (all_of_it, 0)):
        county.repay(loan, 5_000_000, Q2.first + days * DAY)
    claimed = {f"NRCB/{much} {PERIOD}": 9_215, f"NRCB/{all_of_it} {PERIOD}": 1_000}
    assert county.found("RF02") == claimed
    county.recover(much, part, 9_215)
    assert county.found("RF02") == {f"NRCB/{all_of_it} {PERIOD}": 1_000}


def test_a_claim_is_known_from_the_payment_that_made_it_one(county: County) -> None:
    """The slip of the first part counted too many days, but not its money."""
    loan = county.household()
    county.pay(loan, 20_000)
    second = county.ledger.log
    county.pay(loan, 26_639, "-2")
    at_second = second.last_position()
    told = county.repay(loan, 5_000_000, Q2.first + 41 * DAY)
    with drawn(county.database) as facts, facts.at(LATER) as view:
        [finding] = check(view, rule("RF02")).findings
    assert (finding.amount_fen, finding.known_from) == (25_854, told.recorded_at)
    assert at_second in finding.positions


def test_of_a_quarter_paid_beyond_the_due_day_the_rounded_rest_is_claimed(county: County) -> None:
    first, part = county.household(), county.household()
    payment = county.pay(first, 46_639)
    county.pay(part, 1_000)
    for loan in (first, part):  # ten days of the quarter were not overdue
        event = f"{county.ledger.loan('NRCB', loan).id}.1"
        corrected = c.loan(loan_no=loan, contract_no=loan, household_no=f"H{loan[1:]}",
                           borrower_id_no=c.id_no(int(loan[1:])),
                           due_on=Q2.first + 10 * DAY)  # fmt: skip
        plain = corrected.model_dump(mode="json", exclude={"ref"}, exclude_none=True)
        told = c.correct(event, ref=f"GZ-{loan}", effective_on="2023-11-01", replacement=plain)
        county.submit(told, c.BANK)
    assert county.found("RF03") == {f"NRCB/{first} {PERIOD}": 41_570}
    county.recover(first, payment, 41_569)
    assert county.found("RF03") == {f"NRCB/{first} {PERIOD}": 1}
    county.recover(first, payment, 1)
    assert county.found("RF03") == {}


def test_under_a_shared_cap_the_oldest_loan_keeps_its_room(county: County) -> None:
    """P1 of 30 000 is the older one, told later: L1 of 50 000 has room for 20 000, 186.56."""
    loan = county.household()
    payment = county.pay(loan, 46_639)
    county.lend(
        1, 3_000_000, "P1", c.OTHER_BANK, effective_on="2023-03-01", contract_on="2023-03-01"
    )
    county.pay("P1", 27_983, bank="PSBC")
    assert county.found("RF04") == {f"H1 {PERIOD}": 46_639 - 18_656}
    county.recover(loan, payment, 46_639 - 18_656 - 1)
    assert county.found("RF04") == {f"H1 {PERIOD}": 1}
    county.recover(loan, payment, 1)
    assert county.found("RF04") == {}


def test_a_loan_that_was_repaid_leaves_its_room_to_the_younger_one(county: County) -> None:
    """What was paid on it for the days after is RF02's, and once it came back nothing is left."""
    loan = county.household()
    payment = county.pay(loan, 46_639)
    county.repay(loan, 5_000_000, Q2.first + 10 * DAY)
    lent_on = (Q2.first + 10 * DAY).isoformat()
    county.lend(1, 5_000_000, "P1", c.OTHER_BANK, effective_on=lent_on, contract_on=lent_on)
    county.pay("P1", fen_of(5_000_000 * 82), bank="PSBC")
    assert county.found("RF04") == {}
    assert county.found("RF02") == {f"NRCB/{loan} {PERIOD}": 41_570}
    county.recover(loan, payment, 41_570)
    assert county.found("RF02") == county.found("RF04") == {}


def test_beyond_a_shared_cap_no_more_is_claimed_than_was_paid(county: County) -> None:
    loan = county.household()
    county.pay(loan, 1_000)
    county.lend(
        1, 5_000_000, "P1", c.OTHER_BANK, effective_on="2023-03-01", contract_on="2023-03-01"
    )
    county.pay("P1", 46_639, bank="PSBC")
    assert county.found("RF04") == {f"H1 {PERIOD}": 1_000}


class History(NamedTuple):
    """A loan as it was paid for, and its principal on each day as it came to be known."""

    paid: dict[str, int]
    owed: list[int]


def told_by_chance(county: County, chance: Random) -> dict[str, History]:
    """Loans paid for once or in parts, and then repayments told late, some taken back again."""
    histories = {}
    for _ in range(25):
        fen = chance.randrange(1_000_000, 5_000_001, 7)
        loan = county.household(fen)
        due = left = fen_of(fen * 92)
        paid: dict[str, int] = defaultdict(int)
        for part in range(chance.randint(1, 3)):
            part_fen = left if chance.random() < 0.4 else chance.randint(1, left)
            paid[county.pay(loan, part_fen, f"-{part}")] += part_fen
            left -= part_fen
            if not left:
                break
        owed = [fen] * 92
        for part in range(chance.randint(0, 3)):
            back_fen, day = chance.randint(1, fen), chance.randrange(92)
            if min(owed) < back_fen:
                continue
            told = county.repay(loan, back_fen, Q2.first + day * DAY, f"-{part}")
            if chance.random() < 0.3:
                gone = c.correct(
                    told.event_ids[0], ref=f"GZ-{loan}-{part}", effective_on="2023-11-01"
                )
                county.submit(gone, c.BANK)
            else:
                owed = [each - back_fen * (on >= day) for on, each in enumerate(owed)]
        assert sum(paid.values()) <= due
        histories[f"NRCB/{loan} {PERIOD}"] = History(paid, owed)
    return histories


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_claimed_is_what_was_paid_beyond_what_was_owed_and_all_of_it_can_come_back(
    county: County, seed: int
) -> None:
    histories = told_by_chance(county, Random(seed))
    expected = {}
    for subject, (paid, owed) in histories.items():
        over_fen = sum(paid.values()) - fen_of(sum(owed))
        if over_fen > 0:
            expected[subject] = over_fen
    assert 5 < len(expected) < len(histories)
    assert county.found("RF02") == expected
    for subject, over_fen in expected.items():
        loan = subject.split()[0].removeprefix("NRCB/")
        left_fen = over_fen
        for payment, fen in reversed(histories[subject].paid.items()):
            if back_fen := min(fen, left_fen):
                county.recover(loan, payment, back_fen)
                left_fen -= back_fen
    assert county.found("RF02") == {}
