"""Finding by number (按编号查询): what a text names in the facts, within a reader's scope."""

from __future__ import annotations

from projections.facts.reading import (
    Connection,
    Scope,
    View,
    guaranteed,
    parameters_of_loans,
    query_text,
)

MOST = 50
"""Of one kind so many are found at most."""


_PAYMENT = """
SELECT position FROM ledger.event
 WHERE topic = 'loan.subsidy-paid.v1' AND ledger.payment_no(state) = %s
 ORDER BY position LIMIT 1
"""


def payment_position(connection: Connection, payment_no: str) -> int | None:
    """Where the payment of a number stands in the log; None when there is none."""
    row = connection.execute(_PAYMENT, (payment_no,)).fetchone()
    return None if row is None else int(row[0])


def payments_by_voucher(view: View, voucher: str, scope: Scope) -> list[str]:
    """The numbers of the payments that were paid by a voucher, in the order of the log."""
    query = _text("vouchers.sql").replace("{guaranteed}", guaranteed("p.loan_id"))
    asked = parameters_of_loans(scope)
    return [row[0] for row in view.lookup(query, **asked, voucher=voucher, most=MOST).rows]


def is_entity(view: View, pseudonym: str) -> bool:
    """Whether an account or a person of this pseudonym appears in the ledger."""
    kind = pseudonym.partition("-")[0]
    return bool(view.lookup(_text(f"{kind}.sql"), pseudonym=pseudonym).rows)


def households_of(view: View, pseudonym: str) -> list[str]:
    """The households of a person, or of whose loans an account is; by their numbers."""
    kind = pseudonym.partition("-")[0]
    query = _text(f"households_of_{kind}.sql")
    return [row[0] for row in view.lookup(query, pseudonym=pseudonym).rows]


def _text(name: str) -> str:
    return query_text(__name__, name)
