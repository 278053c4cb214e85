"""The schema, and who may log in and send: migrate, keys."""

from __future__ import annotations

import typer

from application import access
from application.event_store.event_log import DatabaseError
from application.event_store.migrations import MigrationAltered, admit, migrate
from application.personal_data.key_rotation import rotate_wrapping as rotate
from domain.roles import Role
from interface.cli.terminal import (
    OUT,
    about_database,
    cannot_go_on,
    deployment_or_exit,
    settings_or_exit,
)
from interface.deployment import COUNTY_OFFICES

app = typer.Typer()
keys_app = typer.Typer(help="密钥 Keys of organisations.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")


@app.command("migrate")
def migrate_() -> None:
    """建库 Bring the database to the present schema (MINGZHANG_OWNER_DSN)."""
    settings = settings_or_exit()
    dsn = settings.owner_dsn or settings.dsn
    if dsn is None:
        with deployment_or_exit():
            return
    try:
        for name in migrate(dsn):
            OUT.print(f"applied {name}")
        if settings.dsn and (login := admit(dsn, settings.dsn)):
            OUT.print(f"admitted {login}")
        access.enrol(dsn, COUNTY_OFFICES)
    except MigrationAltered as error:
        raise cannot_go_on(str(error)) from error
    except DatabaseError as error:
        raise cannot_go_on(about_database(error)) from error


@keys_app.command("enrol")
def enrol(code: str, role: Role, name: str) -> None:
    """登记机构 Enter an organisation."""
    with deployment_or_exit() as deployment:
        access.enrol(deployment.owner_dsn, [access.Organisation(code, role, name)])


@keys_app.command("issue")
def issue(organisation: str, person: str) -> None:
    """发放 Issue a key to a person; it is shown once."""
    with deployment_or_exit() as deployment:
        print(access.issue_key(deployment.owner_dsn, organisation, person))


@keys_app.command("revoke")
def revoke(organisation: str, person: str) -> None:
    """吊销 Revoke a person's keys."""
    with deployment_or_exit() as deployment:
        OUT.print(f"{access.revoke_keys(deployment.owner_dsn, organisation, person)} revoked")


@keys_app.command()
def rotate_wrapping() -> None:
    """更换封装密钥 Change the wrapping secret: older backups open no household's key any more."""
    with deployment_or_exit() as deployment:
        done = rotate(deployment.owner_dsn, deployment.settings.key_file)
    OUT.print(
        f"重新封装 re-wrapped {done.rewrapped} · 打不开 unreadable {done.unreadable}"
        " · 请即备份数据库和密钥文件，并销毁旧的 / back up database and key file now,"
        " and destroy the old copies",
        highlight=False,
    )
