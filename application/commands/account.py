"""The command that says which pseudonyms are one account's (docs/decisions/0033)."""

from __future__ import annotations

from application.command import Command, Reads
from application.fields import Model, Name
from application.ledger import Ledger
from domain.account_register import AccountRegister, SameAccount
from domain.kernel import Author, CommandContext
from domain.roles import Role


class SameAccountItem(Model):
    written: Name
    normal: Name


class UnifyAccounts(Command):
    """On no route: `application.account_unification` finds what it records."""

    TYPE, SUMMARY = "account_unification", "账号归一 record which pseudonyms are one account's"
    ROLES, PATH = (Role.ADMIN,), None
    NEEDS_ANSWER = True

    accounts: list[SameAccountItem]

    def reads(self, by: Author) -> Reads:
        return ((AccountRegister.the_id(), AccountRegister),)

    def handle(self, ledger: Ledger, context: CommandContext) -> None:
        register = ledger.aggregate(AccountRegister, AccountRegister.the_id())
        register.unify(context, (SameAccount(a.written, a.normal) for a in self.accounts))
