"""Accounts that were stored under the pseudonym of what was written become one number each.

Events of before the rule (docs/decisions/0033) are never changed: a further event says
which of their pseudonyms is which account's, and the facts follow from its `recorded_at` on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from application.commands.account import UnifyAccounts
from application.event_store.event_log import EventLog
from application.ledger import Ledger, Recorded
from application.personal_data.encryption import Vault
from domain.account_register import AccountRegister
from domain.kernel import Author
from domain.numbers import normal_number

_PRIVATE = ("payee_account", "payer_account", "to_account")
_TOPICS = (
    "loan.disbursed.v1",
    "loan.repaid.v1",
    "loan.outflow-observed.v1",
    "loan.subsidy-paid.v1",
)
_LENT = """
SELECT e.originator_id, (convert_from(e.state, 'UTF8')::json ->> 'household_id')::uuid
  FROM ledger.event e WHERE e.topic = 'loan.disbursed.v1'
"""
_ENCRYPTED = """
SELECT e.originator_id, e.originator_version, e.topic, e.state
  FROM ledger.event e WHERE e.topic = ANY (%s) ORDER BY e.position
"""
_ONCE = 5_000


def unify_accounts(ledger: Ledger, by: Author) -> Recorded | None:
    """Record what the stored events' accounts are; None when all are recorded already.

    Numbers whose household was erased cannot be read any more and stay as they are.
    """
    found = dict(written_otherwise(ledger.log, ledger.vault))
    known = ledger.aggregate(AccountRegister, AccountRegister.the_id()).known
    accounts = [
        {"written": written, "normal": normal}
        for written, normal in sorted(found.items())
        if written not in known
    ]
    if not accounts:
        return None
    digest = hashlib.sha256(msgspec.json.encode(accounts)).hexdigest()[:32]
    command = UnifyAccounts.model_validate(
        {"ref": f"unify-{digest}", "effective_on": ledger.today().isoformat(), "accounts": accounts}
    )
    return ledger.submit(command, by)


def written_otherwise(log: EventLog, vault: Vault) -> Iterator[tuple[str, str]]:
    """(pseudonym as written, pseudonym) of each stored account that is not in normal form."""
    households: dict[UUID, set[UUID]] = {}
    connection = log.connection
    for loan, household in connection.execute(_LENT, binary=True):
        households.setdefault(loan, set()).add(household)
    with connection.transaction(), connection.cursor("accounts", binary=True) as cursor:
        cursor.itersize = _ONCE
        cursor.execute(_ENCRYPTED, (list(_TOPICS),))
        while rows := cursor.fetchmany(_ONCE):
            of_rows = {home for loan, *_ in rows for home in households.get(loan, ())}
            vault.unlock(log, vault.missing_keys(of_rows))
            for loan, version, topic, state in rows:
                for number in _numbers(
                    vault, households.get(loan, ()), loan, version, topic, state
                ):
                    if number != normal_number(number):
                        yield (
                            vault.pseudonym_as_written("account", number),
                            vault.pseudonym("account", number),
                        )


def _numbers(
    vault: Vault, households: Any, loan: UUID, version: int, topic: str, state: bytes
) -> list[str]:
    """The account numbers of one event, in clear; none when its household was erased."""
    encrypted = msgspec.json.decode(state).get("sealed")
    for household in households if encrypted else ():
        if vault.has_key(household):
            values = vault.unseal(household, (loan, version, topic), encrypted)
            if values is not None:
                return [values[name] for name in _PRIVATE if values.get(name)]
    return []
