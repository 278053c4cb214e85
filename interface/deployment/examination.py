"""All that `verify` examines: settings, log, tree, checkpoints, rulings, keys, facts.

The command and the auditor's desk run the same; what breaks one part off is a finding, and the next
part goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, TypeVar

from application.event_store.event_log import UnsafeDatabase, assure_safe
from application.personal_data.encryption import Keys, Vault
from application.personal_data.household_keys import wrong_keys
from application.transparency_log.proofs import reading
from application.transparency_log.signer import SigningKeyOther, SigningRefused
from application.transparency_log.verification import Verification, Verified
from interface.deployment import Deployment
from projections.cited_rules import wrong_rules
from projections.facts.comparison import wrong_facts

T = TypeVar("T")
Told = Callable[[int, int], None]
Progress = Callable[[str], AbstractContextManager[Told]]
"""Opens a part of the work by its name; what it gives hears (done, in all)."""


class Finding(NamedTuple):
    """Something that is not as it was written. `position`: 0 when it is not about one event."""

    position: int
    text: str


class Examination:
    """One examination of a deployment. `found` grows as it goes on."""

    def __init__(self, deployment: Deployment, progress: Progress) -> None:
        self.found: list[Finding] = []
        self._deployment = deployment
        self._progress = progress

    def settings_log_and_keys(self, anchors: Sequence[str] = ()) -> Verified | None:
        """Everything but the facts; None where the log could not be checked through."""
        self._attempt("设置 settings", self._unsafe_settings)
        result = self._attempt("日志 the log", lambda: self._verified(anchors))
        self._attempt("政策 rulings", self._wrong_rules)
        self._attempt("户密钥 household keys", self._wrong_keys)
        return result

    def facts(self) -> None:
        """The facts, projected again and compared."""
        with self._progress("核对事实 facts") as told:
            self._attempt("事实 the facts", lambda: self._wrong_facts(told))

    def _attempt(self, what: str, examine: Callable[[], T]) -> T | None:
        try:
            return examine()
        except Exception as error:  # noqa: BLE001 - a finding, whatever it is; the next part goes on
            said = (str(error).strip().splitlines() or [""])[0]
            self._add(f"{what}: 未能查完 / not checked through: {type(error).__name__} {said}")
            return None

    def _add(self, text: str, position: int = 0) -> None:
        self.found.append(Finding(position, text))

    def _verified(self, anchors: Sequence[str]) -> Verified:
        """The log, its tree and its checkpoints."""
        deployment = self._deployment
        signer, origin = deployment.signer(), deployment.origin
        for assure in (deployment.assure_named_key, lambda: signer.assure_pinned(origin)):
            try:
                assure()
            except (SigningKeyOther, SigningRefused) as other:
                self._add(str(other))
        key = self._attempt("密钥 the key", lambda: signer.pinned(origin)) or signer.key(origin)
        with reading(deployment.dsn, origin) as proofs:
            verification = Verification(
                proofs.connection,
                origin,
                key,
                Vault(deployment.keys).authenticate,
                signed_last=self._attempt("签名器 the signer", lambda: signer.last(origin)),
                anchors=anchors,
                dsn=deployment.dsn,
            )
            with self._progress("核验 verifying") as told:
                result = verification.run(told)
        for fault in result.faults:
            self._add(str(fault), fault.position)
        return result

    def _unsafe_settings(self) -> None:
        with reading(self._deployment.dsn, self._deployment.origin) as proofs:
            try:
                assure_safe(proofs.connection, os.environ)
            except UnsafeDatabase as unsafe:
                self._add(str(unsafe))

    def _wrong_rules(self) -> None:
        with reading(self._deployment.dsn, self._deployment.origin) as proofs:
            for rule in wrong_rules(proofs.connection):
                self._add(str(rule))

    def _wrong_keys(self) -> None:
        key_file = self._deployment.settings.key_file
        with reading(self._deployment.dsn, self._deployment.origin) as proofs:
            for key in wrong_keys(proofs.connection, lambda: Keys.load(key_file)):
                self._add(key)

    def _wrong_facts(self, told: Told) -> None:
        for wrong in wrong_facts(self._deployment.dsn, told):
            self._add(str(wrong), getattr(wrong, "of_position", 0))
