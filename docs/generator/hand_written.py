"""README, which is the start page, and the Markdown of this folder."""

from __future__ import annotations

import re

from generator.links import IMAGE, site_links
from generator.pages import ROOT, Pages

CONTENTS = """
```{toctree}
:hidden:

Tutorials <tutorials/index>
operations/index
kernels/index
reference/index
benchmarks
glossary
limits
```
"""


def files() -> list[str]:
    """The Markdown of docs/, by its name without the ending."""
    return sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


def write(pages: Pages) -> None:
    readme = (ROOT / "README.md").read_text()
    pages.write("index.md", site_links(readme, "", "index") + CONTENTS)
    for name in files():
        pages.write(f"{name}.md", site_links((ROOT / "docs" / f"{name}.md").read_text(), "docs", name))
    for _, target in re.findall(IMAGE, readme):
        pages.write(target, (ROOT / target).read_bytes())
