"""A log to seal, and what its tree must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from support.county import conversation
from support.everything import submit_everything
from support.naive_tree import Naive

from application.personal_data.encryption import Vault
from application.transparency_log.merkle import TreeHash
from application.transparency_log.rows import rows_between
from application.transparency_log.sequencer import Sequenced, Sequencer
from application.transparency_log.signer import FileSigner
from application.transparency_log.verification import Verification

ORIGIN = "test.local/ledger/sha-256"


class Log:
    """A database with events in it, and a signer; `copies` 0: the events are there."""

    def __init__(self, database: Any, folder: Path, copies: int = 3) -> None:
        self.database = database
        with conversation(database) as ledger:
            if copies:
                submit_everything(ledger, copies)
            self.last = ledger.log.last_position()
        self.key_file = folder / "signing-key.json"
        self.signer = FileSigner.create(self.key_file)

    def sequencer(self, origin: str = ORIGIN, **settings: Any) -> Sequencer:
        authenticate = Vault(self.database.keys).authenticate
        return Sequencer(self.database.dsn, origin, self.signer, authenticate, **settings)

    def sequence(self, most: int = 1 << 16, origin: str = ORIGIN) -> Sequenced:
        sequencer = self.sequencer(origin)
        try:
            return sequencer.sequence(most=most)
        finally:
            sequencer.close()

    def naive(self, tree_hash: TreeHash) -> Naive:
        """The tree over the stored rows, by the book."""
        with psycopg.connect(self.database.dsn) as connection:
            rows = list(rows_between(connection, 0, 1 << 40))
        return Naive(tree_hash, [tree_hash.prefix + row for row in rows])

    def faults(self, origin: str = ORIGIN) -> list[Any]:
        with psycopg.connect(self.database.dsn, autocommit=True) as connection:
            return (
                Verification(
                    connection,
                    origin,
                    self.signer.key(origin),
                    Vault(self.database.keys).authenticate,
                    signed_last=self.signer.last(origin),
                )
                .run()
                .faults
            )
