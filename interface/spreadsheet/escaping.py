"""Text that a spreadsheet would run as a formula stands behind an apostrophe (公式注入).

Writing adds exactly one apostrophe and reading takes exactly one away, so the text survives.
"""

import re
from typing import Final

RUNNABLE: Final = re.compile("[=+\\-@＝＋－＠\t\r\0]")
"""What a spreadsheet may take for the beginning of a formula."""

_NEEDS_ONE: Final = re.compile(f"'*{RUNNABLE.pattern}")
_HAS_ONE: Final = re.compile(f"'+{RUNNABLE.pattern}")


def escaped(text: str) -> str:
    """Put an apostrophe where one is needed.

    >>> escaped("=1+1"), escaped("'=1+1"), escaped("O'Neill")
    ("'=1+1", "''=1+1", "O'Neill")
    """
    return f"'{text}" if _NEEDS_ONE.match(text) else text


def unescaped(text: str) -> str:
    """Take away the apostrophe that `escaped` put there.

    >>> unescaped("'=1+1"), unescaped("''=1+1"), unescaped("'tis")
    ('=1+1', "'=1+1", "'tis")
    """
    return text[1:] if _HAS_ONE.match(text) else text
