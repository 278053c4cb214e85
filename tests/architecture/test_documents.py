"""The guides: a README of one sitting, links that lead somewhere, no guide that no one finds."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MOST_LINES = 150


def anchors(guide: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = HEADING.findall(FENCED.sub("", guide.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def links(guide: Path) -> list[str]:
    text = FENCED.sub("", guide.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(text) if not link.startswith(("http://", "https://"))]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_exist(guide: Path) -> None:
    broken = []
    for link in links(guide):
        path, _, anchor = link.partition("#")
        target = guide.parent / path if path else guide
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_guide_is_reached_from_the_readme() -> None:
    known = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")}
    assert [g.name for g in (ROOT / "docs").glob("*.md") if g.resolve() not in known] == []


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MOST_LINES
