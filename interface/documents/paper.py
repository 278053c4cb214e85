"""A page that goes out on paper by itself: one file with its style in it, in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interface.console.words import Words
from interface.html import render

CHINESE: Final = Words("zh")


def printed(body: str, values: Mapping[str, Any]) -> str:
    """A body's template within the sheet. The console shows the same bodies within its frame."""
    return render("documents/paper.html", w=CHINESE, body=body, **values)
