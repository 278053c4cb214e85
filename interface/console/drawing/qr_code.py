"""An address as a QR code: SVG by the library, of squares alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import segno
from markupsafe import Markup

_MASK: Final = 2
"""One of the eight patterns of ISO/IEC 18004: to try all of them takes four times as long."""


@lru_cache(maxsize=256)
def qr_code(text: str) -> Markup:
    """The code of a text, without a size of its own."""
    code = segno.make(text, error="m", micro=False, mask=_MASK, boost_error=False)
    drawn = code.svg_inline(omitsize=True, svgclass=None, lineclass=None)
    return Markup(drawn)  # noqa: S704 - drawn by the library, of squares alone
