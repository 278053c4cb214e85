"""The views of the fund flow, as tabs above each."""

from __future__ import annotations

from interface.console.frame import Visit


def tabs(found: Visit, here: str) -> list[tuple[str, str, bool]]:
    """Key, address, and whether it is this one."""
    return [
        (name, found.address(path), name == here)
        for name, path in (
            ("picture", "/fund-flow"),
            ("paths", "/fund-flow/paths"),
            ("unlinked", "/fund-flow/unlinked"),
            ("misuse", "/fund-flow/misuse"),
            ("misuse_accounts", "/fund-flow/misuse/accounts"),
            ("entities", "/entities"),
        )
    ]
