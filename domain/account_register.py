"""Which account numbers, stored as they were written, are one number (domain.md §9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final
from uuid import UUID

import msgspec

from domain.kernel import Aggregate, CommandContext, Event, Refused, identity, recorded_fields

MOST_IN_AN_EVENT: Final = 500


class NothingToUnify(Refused):
    CODE, FIELD = "nothing_to_unify", ""
    ZH, EN = "没有待归一的账号", "every account number is unified already"


class SameAccount(msgspec.Struct, frozen=True):
    """Two pseudonyms of one account: of the number as it was `written`, and of the number."""

    written: str
    normal: str


class AccountRegister(Aggregate):
    """The county's one register of account numbers that were stored before they were normalised."""

    KIND: ClassVar[str] = "account-register"

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.known: set[str] = set()

    @staticmethod
    def the_id() -> UUID:
        return identity("account-register")

    class Unified(Event["AccountRegister"], frozen=True, kw_only=True, omit_defaults=True):
        """These pseudonyms, given to numbers as they were written, are of the normal ones."""

        TOPIC, ZH = "account-register.unified.v1", "账号归一"
        CORRECTABLE = False
        accounts: tuple[SameAccount, ...]

        def apply(self, register: AccountRegister) -> None:
            register.known.update(account.written for account in self.accounts)

    def unify(self, context: CommandContext, accounts: Iterable[SameAccount]) -> None:
        """Record those that are not recorded yet. Raises NothingToUnify."""
        new = [account for account in accounts if account.written not in self.known]
        if not new:
            raise NothingToUnify
        for first in range(0, len(new), MOST_IN_AN_EVENT):
            some = tuple(new[first : first + MOST_IN_AN_EVENT])
            self.record(AccountRegister.Unified(**recorded_fields(context), accounts=some))
