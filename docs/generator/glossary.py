"""The glossary, English and Chinese: docs/glossary.txt, one term a line.

    term | Chinese | one sentence | where it is taught

Where: numbers of tutorials, or pages such as operations/conv. A term that is taught only in a tutorial that is not
written yet is left out until then; any other page that does not exist is an error.
"""

from __future__ import annotations

from typing import NamedTuple

from generator import tutorials
from generator.pages import ROOT, Pages

LABELS = {"operations": "operations: ", "kernels": "kernel ", "reference": ""}
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
                raise ValueError(f"{FILE.name}, line {number}: expected term | Chinese | sentence | where")
            found.append(Term(*cells[:3], cells[3].split()))
    return sorted(found, key=lambda term: term.english.lower())


def write(pages: Pages) -> None:
    titles = tutorials.titles()
    text = (
        "# Glossary\n\n"
        "The terms used on these pages, each with its Chinese name, a sentence that explains it, and links to where it "
        "is taught. The search finds terms in both languages.\n\n```{glossary}\n"
    )
    for term in terms():
        links = [_link(place, titles, pages) for place in term.places if not _unwritten(place)]
        if not links:
            continue
        names = "\n".join(dict.fromkeys([term.english, term.chinese]))  # CUDA is CUDA
        text += f"{names}\n  {term.meaning} {' · '.join(links)}\n\n"
    pages.write("glossary.md", text + "```\n")


def _unwritten(place: str) -> bool:
    """Whether it is the number of a tutorial that does not exist yet."""
    return place.isdigit() and tutorials.page_of(place) is None


def _link(place: str, titles: dict[str, str], pages: Pages) -> str:
    if place.isdigit() and (page := tutorials.page_of(place)):
        return f"[{titles[page]}](/{page}.ipynb)"
    for suffix in (".rst", ".md"):
        if (pages.folder / f"{place}{suffix}").is_file():
            folder, _, name = place.rpartition("/")
            label = f"{LABELS[folder]}{name}" if folder and name != "index" else ""  # then it is the title of the page
            return f"[{label}](/{place}{suffix})"
    raise LookupError(f"glossary: there is no page {place}")
