"""The command line: the same commands and queries on the same store.

A command's module is imported when the command is called: each starts with what it needs.
"""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup

_MODULES = {
    "serve": "service_commands",
    "migrate": "access_commands",
    "project": "service_commands",
    "watch": "service_commands",
    "rebuild": "ledger_commands",
    "import": "import_commands",
    "ledger": "ledger_commands",
    "export": "ledger_commands",
    "trace": "history_commands",
    "history": "history_commands",
    "why": "explanation_command",
    "changes": "ledger_commands",
    "settle": "batch_commands",
    "red-flags": "red_flag_commands",
    "backtest": "backtest_command",
    "verify": "log_commands",
    "evidence": "log_commands",
    "log": "log_commands",
    "erase": "personal_data_commands",
    "look": "personal_data_commands",
    "looks": "personal_data_commands",
    "keys": "access_commands",
    "people": "access_commands",
}
"""The module in `interface.cli` of each command, in the order in which help lists them."""


class _ByName(TyperGroup):
    """Finds a command in its module when it is asked for."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        del ctx
        return list(_MODULES)

    def get_command(  # type: ignore[override]
        self, ctx: typer.Context, cmd_name: str
    ) -> TyperCommand | TyperGroup | None:
        del ctx
        if cmd_name not in _MODULES:
            return None
        module = import_module(f"interface.cli.{_MODULES[cmd_name]}")
        command = typer.main.get_command(module.app)
        if isinstance(command, TyperGroup):
            command = command.commands[cmd_name]
        assert isinstance(command, TyperCommand | TyperGroup)
        return command


app = typer.Typer(
    name="mingzhang",
    cls=_ByName,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def main() -> None:
    """明账 mingzhang: an event-sourced ledger for public loan subsidies."""
