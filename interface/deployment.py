"""A deployment put together: database, keys, schema. Refuses to start on unsafe ground."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from application.access import Organisation
from application.account_unification import unify_accounts
from application.ledger import Ledger
from application.migrations import admit, may_migrate, migrate
from application.store import Clock, EventLog, assure_safe, utc_now
from application.tree.sealer import Sealer
from application.tree.signer import FileSigner, SigningKeyMissing, origin_of
from application.vault import Keys, KeysMissing, Vault
from domain.kernel import Author
from interface.embedded_db import EmbeddedPostgres
from interface.settings import Settings

COUNTY_OFFICES = [
    Organisation("CENTRE", "centre", "金融扶贫服务中心"),
    Organisation("BUREAU", "bureau", "乡村振兴局"),
    Organisation("FINANCE", "finance", "财政局"),
    Organisation("AUDIT", "auditor", "审计局"),
    Organisation("ADMIN", "admin", "系统管理员"),
]


class Deployment(NamedTuple):
    """What every part of the service needs to run."""

    dsn: str
    owner_dsn: str
    keys: Keys
    settings: Settings

    @property
    def origin(self) -> str:
        """What checkpoints call this log and its hash."""
        return origin_of(self.settings.log_name, self.settings.tree_hash)

    def signer(self) -> FileSigner:
        """Who signs checkpoints here; a key is made the first time. Raises SigningKeyMissing."""
        return FileSigner.create(self.settings.signing_key_file)

    def sealer(self, clock: Clock = utc_now) -> Sealer:
        """A sealing conversation with the database. Raises SigningKeyMissing."""
        authenticate = Vault(self.keys).authenticate
        return Sealer(self.dsn, self.origin, self.signer(), authenticate, clock=clock)


@contextmanager
def deployed(settings: Settings, *, migrating: bool = True) -> Iterator[Deployment]:
    """Start the embedded database if there is no other, bring the schema up, load the keys.

    The embedded database is started again when it dies; when it cannot be, this process is asked to
    end (SIGTERM). Raises UnsafeDatabase, KeysMissing, SigningKeyMissing, MigrationAltered,
    EmbeddedPostgresError.
    """
    if settings.dsn is not None:
        owner_dsn = settings.owner_dsn or settings.dsn
        yield _prepared(settings, settings.dsn, owner_dsn, migrating=migrating)
        return
    postgres = EmbeddedPostgres(settings.data / "postgres")
    try:
        dsn = postgres.start()
        postgres.keep_running(lambda: os.kill(os.getpid(), signal.SIGTERM))
        yield _prepared(settings, dsn, dsn, migrating=migrating)
    finally:
        postgres.stop()
        if postgres.failure is not None:
            raise postgres.failure


def _prepared(settings: Settings, dsn: str, owner_dsn: str, *, migrating: bool) -> Deployment:
    if migrating and may_migrate(owner_dsn):
        migrate(owner_dsn)
        admit(owner_dsn, dsn)
    log = EventLog(dsn, role="mingzhang_reader")
    try:
        assure_safe(log.connection, os.environ)
        last = log.last_position()
    finally:
        log.close()
    if not settings.key_file.exists():
        if last:
            raise KeysMissing(
                f"台账已有事件，但密钥文件不在 / the log has events, but there is no key file:"
                f" {settings.key_file}"
            )
        with suppress(FileExistsError):
            Keys.generate().save(settings.key_file)
    keys = Keys.load(settings.key_file)
    if last:
        _assure_own(dsn, keys, last)
    if not settings.signing_key_file.exists() and _sealed_before(dsn):
        raise SigningKeyMissing(
            f"台账已有检查点，但签名密钥不在 / the log was sealed, but there is no signing key:"
            f" {settings.signing_key_file}"
        )
    return Deployment(dsn, owner_dsn, keys, settings)


def _assure_own(dsn: str, keys: Keys, last: int) -> None:
    """The keys must be the ones that the log was written with. Raises KeysMissing."""
    log = EventLog(dsn, Vault(keys), role="mingzhang_reader")
    try:
        if not log.authentic(last):
            raise KeysMissing(
                "密钥不是写入本台账的密钥，或最后一条事件被改动"
                " / these are not the keys of this log, or its last event was altered"
            )
    finally:
        log.close()


def unify_stored_accounts(deployment: Deployment) -> None:
    """Record, once, which stored pseudonyms of accounts are of one number (docs/decisions/0033).

    A file in the data folder remembers that it was done; without it all events are read again.
    """
    done = deployment.settings.data / "accounts-unified"
    if done.exists():
        return
    ledger = Ledger(deployment.dsn, deployment.keys, key_file=deployment.settings.key_file)
    try:
        if ledger.log.last_position():
            unify_accounts(ledger, Author("admin", "ADMIN", "accounts"))
    finally:
        ledger.close()
    done.touch()


def _sealed_before(dsn: str) -> bool:
    log = EventLog(dsn, role="mingzhang_reader")
    try:
        row = log.connection.execute("SELECT EXISTS (SELECT FROM ledger.checkpoint)").fetchone()
        return bool(row and row[0])
    finally:
        log.close()
