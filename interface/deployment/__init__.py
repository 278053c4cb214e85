"""A deployment put together: database, keys, schema. Refuses to start on unsafe ground."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from application.access import Organisation
from application.account_unification import unify_accounts
from application.event_store.event_log import (
    Clock,
    ConnectionTroubled,
    DatabaseFault,
    EventLog,
    assure_safe,
    utc_now,
)
from application.event_store.log_queries import newest_checkpoint, sequenced
from application.event_store.migrations import admit, begun, may_migrate, migrate
from application.ledger import Ledger
from application.personal_data.encryption import Keys, KeysMissing, Vault
from application.transparency_log.log_range import Authenticate
from application.transparency_log.nodes import Connection
from application.transparency_log.promises import Promises
from application.transparency_log.rows import AUTHENTICATED, MAC, rows_between
from application.transparency_log.sequencer import LogAltered, Sequencer
from application.transparency_log.signer import (
    FileSigner,
    SigningKeyMissing,
    SigningKeyOther,
    origin_of,
)
from domain.kernel import Author
from domain.roles import Role
from interface.deployment.embedded_db import EmbeddedPostgres
from interface.deployment.settings import Settings

COUNTY_OFFICES = [
    Organisation("CENTRE", Role.CENTRE, "金融扶贫服务中心"),
    Organisation("BUREAU", Role.BUREAU, "乡村振兴局"),
    Organisation("FINANCE", Role.FINANCE, "财政局"),
    Organisation("AUDIT", Role.AUDITOR, "审计局"),
    Organisation("ADMIN", Role.ADMIN, "系统管理员"),
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

    def assure_named_key(self) -> None:
        """The signing key must be the one that the settings name. Raises SigningKeyOther."""
        named, own = self.settings.log_key, self.signer().key(self.origin).text()
        if named is not None and named != own:
            raise SigningKeyOther(self.origin, own, named)

    def promises(self) -> Promises:
        """What promises inclusion with each answer. Raises SigningKeyMissing."""
        return Promises(self.signer(), self.origin, Vault(self.keys).authenticate)

    def sequencer(self, clock: Clock = utc_now) -> Sequencer:
        """A sealing conversation with the database. Raises SigningKeyMissing."""
        authenticate = Vault(self.keys).authenticate
        return Sequencer(self.dsn, self.origin, self.signer(), authenticate, clock=clock)


@contextmanager
def deployed(settings: Settings, *, examining: bool = False) -> Iterator[Deployment]:
    """Start the embedded database if there is no other, bring the schema up, load the keys.

    The embedded database is started again when it dies; when it cannot be, this process is asked to
    end (SIGTERM). `examining`: nothing is migrated; what is wrong with the log, its schema and its
    keys is for the caller to find. Raises UnsafeDatabase, KeysMissing, SigningKeyMissing,
    SigningKeyOther, SigningRefused, LogAltered, MigrationAltered, MigrationFailed,
    EmbeddedPostgresError.
    """
    if settings.dsn is not None:
        owner_dsn = settings.owner_dsn or settings.dsn
        found = _prepared(settings, settings.dsn, owner_dsn, examining=examining)
        if not examining:
            _assure_own(found)
        yield found
        return
    postgres = EmbeddedPostgres(settings.data / "postgres")
    try:
        dsn = postgres.start()
        postgres.keep_running(lambda: os.kill(os.getpid(), signal.SIGTERM))
        found = _prepared(settings, dsn, dsn, examining=examining)
        if not examining:
            _assure_own(found)
        yield found
    finally:
        postgres.stop()
        if postgres.failure is not None:
            raise postgres.failure


def _prepared(settings: Settings, dsn: str, owner_dsn: str, *, examining: bool) -> Deployment:
    if not examining and may_migrate(owner_dsn):
        migrate(owner_dsn)
        admit(owner_dsn, dsn)
    last = _last_position(dsn, examining=examining)
    if not settings.key_file.exists():
        if last != 0:
            raise KeysMissing(
                f"台账已有事件，但密钥文件不在 / the log has events, but there is no key file:"
                f" {settings.key_file}"
            )
        with suppress(FileExistsError):
            Keys.generate().save(settings.key_file)
    keys = Keys.load(settings.key_file)
    if not settings.signing_key_file.exists() and (last is None or _sealed_before(dsn)):
        raise SigningKeyMissing(
            f"台账已有检查点，但签名密钥不在 / the log was sealed, but there is no signing key:"
            f" {settings.signing_key_file}"
        )
    return Deployment(dsn, owner_dsn, keys, settings)


def _last_position(dsn: str, *, examining: bool) -> int | None:
    """How far the log goes, of a server that loses nothing. Raises UnsafeDatabase.

    `examining`: an unsafe server, or a log that cannot be read though there is one (None), is for
    the caller to find.
    """
    try:
        log = EventLog(dsn, role="mingzhang_reader")
        try:
            if not examining:
                assure_safe(log.connection, os.environ)
            return log.last_position()
        finally:
            log.close()
    except DatabaseFault as fault:
        if not examining or isinstance(fault, ConnectionTroubled) or not begun(dsn):
            raise
        return None


def _assure_own(deployment: Deployment) -> None:
    """The keys must be those that the log was written and signed with.

    Raises KeysMissing, LogAltered with the position, SigningKeyOther, SigningRefused.
    """
    log = EventLog(deployment.dsn, role="mingzhang_reader")
    try:
        if last := log.last_position():
            _assure_written(log.connection, Vault(deployment.keys).authenticate, last)
        notes = newest_checkpoint(log.connection, deployment.origin)
    finally:
        log.close()
    if deployment.settings.signing_key_file.exists() or deployment.settings.log_key:
        deployment.assure_named_key()
        deployment.signer().assure_pinned(deployment.origin, notes)


def _assure_written(connection: Connection, authenticate: Authenticate, last: int) -> None:
    """The last event must bear this service's seal; where others do, it was altered."""

    def authentic(position: int) -> bool:
        rows = list(rows_between(connection, position - 1, position))
        return bool(rows) and all(authenticate(row[AUTHENTICATED]) == row[MAC] for row in rows)

    if authentic(last):
        return
    if any(authentic(position) for position in {1, last // 2, last - 1} - {0, last}):
        raise LogAltered(
            last,
            "最后一条不是本服务写入的，或被改动；请运行 verify",
            "the last one is not what the service wrote; run verify",
        )
    raise KeysMissing(
        f"密钥不是写入本台账的密钥，或第 {last} 条（最后一条）事件被改动"
        f" / these are not the keys of this log, or event {last}, its last, was altered"
    )


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
            unify_accounts(ledger, Author(Role.ADMIN, "ADMIN", "accounts"))
    finally:
        ledger.close()
    done.touch()


def _sealed_before(dsn: str) -> bool:
    log = EventLog(dsn, role="mingzhang_reader")
    try:
        return sequenced(log.connection) > 0
    finally:
        log.close()
