"""The words of the pages: both catalogues say the same, and what is asked for is there."""

from __future__ import annotations

import re
from pathlib import Path

from interface.console.words import catalogue

CONSOLE = Path(__file__).parents[3] / "interface" / "console"
_ASKED = re.compile(
    r"""\b(?:w|words|found\.words)\(\s*["']([a-z_0-9]+\.[A-Za-z_0-9]+)["'](?!\s*~)"""
)


def test_both_languages_have_the_same_sentences() -> None:
    chinese, english = catalogue("zh"), catalogue("en")
    assert chinese.keys() == english.keys()
    for key, sentence in chinese.items():
        assert set(re.findall(r"{\w+}", sentence)) == set(re.findall(r"{\w+}", english[key])), key


def test_every_sentence_that_a_page_asks_for_by_name_is_there() -> None:
    missing = {
        f"{file.relative_to(CONSOLE)}: {key}"
        for file in (*CONSOLE.rglob("*.html"), *CONSOLE.rglob("*.py"))
        for key in _ASKED.findall(file.read_text("utf-8"))
        if key not in catalogue("zh")
    }
    assert not missing
