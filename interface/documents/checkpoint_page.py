"""A checkpoint on paper: one page a day, to be stamped and filed."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import segno
from markupsafe import Markup

from application.transparency_log.nodes import Checkpoint
from interface.console.words import Words
from interface.documents.paper import CHINESE, printed


def page(checkpoint: Checkpoint) -> str:
    """A checkpoint as a printable page: in words, in hexadecimal, and as a QR code of the note."""
    return printed("documents/checkpoint.html", values(checkpoint))


def values(checkpoint: Checkpoint, words: Words = CHINESE) -> dict[str, Any]:
    """What the page says."""
    code = segno.make(checkpoint.text(), error="m", micro=False)
    signed_at = checkpoint.signed_at.astimezone(ZoneInfo("Asia/Shanghai"))
    drawn = code.svg_inline(omitsize=True, svgclass=None, lineclass=None)
    return {
        "title": words("paper.checkpoint", size=checkpoint.head.size),
        "origin": checkpoint.head.origin,
        "signed_at": f"{signed_at:%Y-%m-%d %H:%M:%S} (Asia/Shanghai)",
        "size": checkpoint.head.size,
        "root": " ".join(_groups(checkpoint.head.root.hex())),
        "code": Markup(drawn),  # noqa: S704 - drawn by the library, of squares alone
        "note": checkpoint.text(),
    }


def _groups(text: str) -> list[str]:
    return [text[at : at + 8] for at in range(0, len(text), 8)]
