"""The glossary, English and Chinese: docs/glossary.txt, one term a line.

    term | Chinese | one sentence | where it is taught

Where: numbers of tutorials, or pages such as operations/conv. Those that do not exist (yet) are left out, and a term
that nothing teaches is an error.
"""

from __future__ import annotations

from typing import NamedTuple

from generator import tutorials
from generator.pages import ROOT, Pages

FILE = ROOT / "docs" / "glossary.txt"


class Term(NamedTuple):
    english: str
    chinese: str
    meaning: str
    places: list[str]


def terms() -> list[Term]:
    found = []
    for number, line in enumerate(FILE.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) != 4 or not all(cells):
                raise ValueError(f"{FILE.name}, line {number}: expected term | Chinese | sentence | where, got {line!r}")
            found.append(Term(*cells[:3], cells[3].split()))
    return sorted(found, key=lambda term: term.english.lower())


def write(pages: Pages) -> None:
    titles = tutorials.titles()
    text = (
        "# Glossary 词汇表\n\n"
        "Every term that the pages use, its Chinese name, one sentence, and where it is taught. "
        "The search finds terms in both languages.\n\n```{glossary}\n"
    )
    for term in terms():
        links = [link for place in term.places if (link := _link(place, titles, pages))]
        if not links:
            raise LookupError(f"glossary: nothing teaches {term.english!r}: {' '.join(term.places)}")
        text += f"{term.english}\n{term.chinese}\n  {term.meaning} {' · '.join(links)}\n\n"
    pages.write("glossary.md", text + "```\n")


def _link(place: str, titles: dict[str, str], pages: Pages) -> str | None:
    if place.isdigit():
        page = tutorials.page_of(place)
        return None if page is None else f"[{titles[page]}](/{page}.ipynb)"
    if not any((pages.folder / f"{place}{suffix}") in pages.written for suffix in (".rst", ".md")):
        return None
    suffix = ".rst" if (pages.folder / f"{place}.rst") in pages.written else ".md"
    return f"[{place}](/{place}{suffix})"
