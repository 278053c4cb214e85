"""One account and one identity number are one number, however somebody wrote them.

Rule: ../docs/decisions/0033-one-number-one-pseudonym.md.
"""

import re
import unicodedata
from typing import Final

_DROPPED: Final = re.compile(r"[\s\-\u00ad\u2010-\u2015\u2212\u2043\u30fc]+")
"""White space of every width, and what is typed or set as a hyphen."""


def normal_number(written: str) -> str:
    """The number itself: compatible forms made one, blanks and hyphens dropped, capitals.

    >>> normal_number("622848-0402-1234-5678"), normal_number("６２２８ 4804　0212345678")
    ('622848040212345678', '622848040212345678')
    """
    return _DROPPED.sub("", unicodedata.normalize("NFKC", written)).upper()
