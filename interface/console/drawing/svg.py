"""A picture as a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interface.html import render


def svg_file(drawing: Mapping[str, Any]) -> str:
    """The Sankey picture without links, as XML."""
    return render("console/drawing/sankey_file.svg", d=drawing).strip()
