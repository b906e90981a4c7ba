"""Links of the repository's Markdown, which name files, become links of the site, which name pages."""

from __future__ import annotations

import re
import sys

from generator.pages import ROOT
from generator.source_pages import source_files, source_page

sys.path.append(str(ROOT / "tutorials"))
from library_lines import find_lines  # noqa: E402  a helper of the tutorials, in no package

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)(?P<symbol>\s+`[\w.]+`)?")
IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
ELSEWHERE = ("http://", "https://", "mailto:", "#")


def site_links(markdown: str, folder: str, page: str) -> str:
    """The same Markdown with its links made for the site.

    Parameters
    ----------
    folder : str
        Where the text stands in the repository: its links start there.
    page : str
        The name of the page that it becomes, such as ``"tutorials/01_slope"``.
    """
    up = "../" * page.count("/")

    def link(match: re.Match) -> str:
        text, target, symbol = match["text"], match["target"], match["symbol"] or ""
        if target.startswith(ELSEWHERE):
            return match[0]
        path, _, anchor = target.partition("#")
        path = _in_repository(path, folder)
        if document := _document(path):
            return f"[{text}](/{document}{'#' + anchor if anchor else ''}){symbol}"
        if path not in source_files():
            raise LookupError(f"{page}: the link to {target} leads to no page of the site")
        if symbol:
            anchor = f"L{find_lines(path, symbol.strip().strip('`'))[0]}"
        href = f"{up}{source_page(path)}.html{'#' + anchor if anchor else ''}"
        return f'<a class="reference internal" href="{href}">{text}</a>{symbol}'

    def image(match: re.Match) -> str:
        return f"![{match['text']}](/{_in_repository(match['target'], folder)})"

    return IMAGE.sub(image, LINK.sub(link, markdown))


def _in_repository(path: str, folder: str) -> str:
    resolved = (ROOT / folder / path).resolve()
    if not resolved.exists():
        raise LookupError(f"{folder or '.'} links to {path}, which does not exist")
    return resolved.relative_to(ROOT).as_posix()


def _document(path: str) -> str:
    """The document that Sphinx makes of a file or folder of the repository, or ""."""
    whole = ROOT / path
    if path == "README.md":
        return "index.md"
    if path == "tutorials/README.md" or path == "tutorials":
        return "tutorials/index.md"
    if re.fullmatch(r"tutorials/\d\d_\w+\.py", path):
        return f"{path[:-3]}.ipynb"
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    if path in ("benchmarks/README.md", "benchmarks"):
        return "benchmarks-method.md"
    if path.startswith("benchmarks/results"):
        return "benchmarks.md"
    if path == "kernels":
        return "kernels/index.rst"
    if path == "minidl/functional":
        return "operations/index.rst"
    if whole.is_dir() and path.startswith("kernels/"):
        return f"{path}.rst"
    if whole.is_dir() and path.startswith("minidl/"):
        return f"reference/{path.replace('/', '.')}.rst"
    return ""
