"""The words of the pages, by page and language: the files of a page have the same keys."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Final, Literal

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


@cache
def catalogue(language: Language) -> dict[str, str]:
    """Every sentence of a language by its key, `sign_in.title`. Raises ValueError: one is twice."""
    said: dict[str, str] = {}
    for file in resources.files(__package__).iterdir():
        if not file.name.endswith(f".{language}.toml"):
            continue
        for page, sentences in tomllib.loads(file.read_text("utf-8")).items():
            for key, sentence in sentences.items():
                if said.setdefault(f"{page}.{key}", sentence) is not sentence:
                    raise ValueError(f"{file.name}: {page}.{key} is declared twice")
    return said


class Words:
    """The sentences of one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._sentences = catalogue(language)

    @property
    def other(self) -> Language:
        return "en" if self.language == "zh" else "zh"

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of a key, with these values in it. Raises KeyError."""
        return self._sentences[key].format_map(values)

    def pattern(self, key: str) -> str:
        """The sentence of a key as it is declared. Raises KeyError."""
        return self._sentences[key]

    def has(self, key: str) -> bool:
        return key in self._sentences
