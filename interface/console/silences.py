"""Silences: what of a loan was due and stands nowhere in the log, as lines of its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from interface.console.timeline import Entry, silence
from interface.console.words import Words


def silences(words: Words, duties: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The duties of one loan that were not done, by their days; those in a row are one line."""
    found = []
    by_kind = sorted(duties, key=lambda duty: (duty["duty"], duty["due_on"]))
    for (kind, undone), several in groupby(
        by_kind, key=lambda duty: (duty["duty"], duty["state"] == "not_done")
    ):
        missed = list(several)
        key = f"entry.none_{kind}"
        if undone and words.has(key):
            first, until = missed[0]["searched_from_on"], missed[-1]["searched_until_on"]
            sentence = words(key, first=first, until=until, count=len(missed))
            found.append(silence(missed[0]["due_on"], sentence))
    return sorted(found, key=lambda entry: entry.day)
