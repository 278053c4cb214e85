"""The household keys of one transaction: those it encrypts under, makes and destroys."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from application.event_store.event_log import EventLog
from application.personal_data.encryption import KeysMissing, Vault, forget_everywhere
from application.unit_of_work import UnitOfWork
from domain.household import Household


class Keyring:
    """Keys are made in memory, and kept or destroyed in the transaction of the events alone."""

    def __init__(self, vault: Vault, log: EventLog, unit: UnitOfWork) -> None:
        self._vault = vault
        self._log = log
        self._unit = unit
        self._without: set[UUID] = set()
        self._made: dict[UUID, bytes] = {}
        self._erased: list[UUID] = []

    def unlock(self, households: Collection[UUID]) -> None:
        """Fetch these keys in one query, and learn which households have none."""
        self._without = self._vault.unlock(self._log, self._vault.missing_keys(households))

    def assure(self, household: UUID) -> bool:
        """Have a key to encrypt with, a new one if need be; False for an erased household.

        The decision stands only while nothing new is reported of it: an erasure, perhaps.
        Raises KeysMissing when there is a key, but no secret unwraps it.
        """
        self._unit.read_set.add(household.int)
        if household in self._erased:
            return False
        if self._vault.has_key(household):
            return True
        if household in self._without or self._vault.unlock(self._log, {household}):
            if self._unit.aggregate(Household, household).erased:
                return False
            self._made[household] = self._vault.new_household_key(household)
            self._without.discard(household)
        elif not self._vault.has_key(household):
            raise KeysMissing("户密钥打不开 / a household's key cannot be unwrapped")
        return True

    def erase(self, household: UUID) -> None:
        """Destroy its key when this transaction is stored."""
        self._erased.append(household)

    @property
    def changed(self) -> bool:
        """Whether the transaction makes or destroys keys."""
        return bool(self._made or self._erased)

    def keep_made(self) -> None:
        """Keep them under the present wrapping secret, which the append lock holds as it is.

        Before the events are written. Raises KeysMissing.
        """
        if self._made:
            self._vault.wrap_under(self._log.present_wrapping())
            wrap = self._vault.wrap
            self._log.keep_keys({home: wrap(home, key) for home, key in self._made.items()})

    def destroy_erased(self) -> None:
        """After the events that say so are written."""
        self._log.destroy_keys(self._erased)

    def committed(self) -> None:
        """All is stored: what was destroyed is forgotten everywhere in this process."""
        self._made.clear()
        forget_everywhere(self._erased)
        self._erased.clear()

    def rolled_back(self) -> None:
        """Perhaps nothing is stored; a destroyed key may be, and the answer lost."""
        for household in self._made:
            self._vault.forget(household)
        self._without.clear()
        self.committed()
