"""The built site as its reader sees it: formulas, figures, links, search, on a phone, in the dark, with no network."""

from __future__ import annotations

import ast
import posixpath
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.site.browser import Browser, Page
from tests.site.conftest import ROOT

TUTORIALS = sorted(path.stem for path in (ROOT / "tutorials").glob("[0-9][0-9]_*.py"))
KERNELS = sorted(path.parent.name for path in (ROOT / "kernels").glob("*/reference.py"))
TYPESET = "!document.querySelector('.math') || MathJax.startup.promise.then(() => true)"
SEEN = [
    "index", TUTORIALS[0], "tutorials/02_chain_rule", "tutorials/06_softmax", "tutorials/10_convolution",
    "tutorials/13_sequences", "tutorials/23_one_convolution", "kernels/conv2d", "operations/conv", "operations/index",
    "reference/minidl.nn", "reference/minidl.cluster", "glossary", "benchmarks", "benchmarks-method", "limits",
]  # fmt: skip


TAG = re.compile(r"<([a-z0-9]+)\s([^>]*)>")
ATTRIBUTE = re.compile(r"""(?<![\w-])(id|name|href|src)=(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")


class _Anchors:
    """The links of a page, and what links can lead to on it."""

    def __init__(self, text: str) -> None:
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()
        for tag, inside in TAG.findall(text):
            found = {name: unescape("".join(value)) for name, *value in ATTRIBUTE.findall(inside)}
            self.names.update(found[key] for key in ("id", "name") if key in found)
            if tag == "a" and "href" in found:
                self.links.append(found["href"])
            if tag != "a":
                self.loaded += [found[key] for key in ("src", "href") if key in found]


@pytest.fixture(scope="session")
def parsed(folder: Path) -> dict[str, _Anchors]:
    return {path.relative_to(folder).as_posix(): _Anchors(path.read_text()) for path in folder.rglob("*.html")}


def test_there_is_a_page_for_each_tutorial_kernel_and_operation(parsed: dict[str, _Anchors]) -> None:
    from minidl import functional, kernels

    expected = [f"tutorials/{stem}.html" for stem in TUTORIALS]
    expected += [f"kernels/{row.kernel}.html" for row in kernels.table()]
    assert set(expected) <= parsed.keys()
    described = {name for page, p in parsed.items() if page.startswith("operations/") for name in p.names}
    public = set()
    for path in Path(functional.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                public.update(ast.literal_eval(node.value))
    assert len(public) > 100 and {f"minidl.functional.{name}" for name in public} <= described


def test_every_link_leads_somewhere(parsed: dict[str, _Anchors], folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    broken = []
    for page, anchors in parsed.items():
        for link in anchors.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = posixpath.join(posixpath.dirname(page), unquote(parts.path)) if parts.path else page
            name, anchor = posixpath.normpath(path), unquote(parts.fragment)
            if name not in files or anchor and name in parsed and anchor not in parsed[name].names:
                broken.append(f"{page}: {link}")
    assert not broken, "\n".join(broken[:20])


def test_no_page_asks_for_anything_elsewhere(parsed: dict[str, _Anchors], folder: Path) -> None:
    elsewhere = [
        f"{page}: {link}"
        for page, anchors in parsed.items()
        for link in anchors.loaded
        if link.startswith(("http:", "https:", "//"))
    ]
    for style in folder.rglob("*.css"):
        elsewhere += [
            f"{style.name}: {url}"
            for url in re.findall(r"(?:url\(|@import)\s*['\"]?(https?:[^'\")]+)", style.read_text())
        ]
    assert not elsewhere


def test_each_tutorial_shows_its_results(folder: Path) -> None:
    for stem in TUTORIALS:
        html = (folder / "tutorials" / f"{stem}.html").read_text()
        source = (ROOT / "tutorials" / f"{stem}.py").read_text()
        shown = len(re.findall(r"^ *plt\.show\(\)", source, re.M))  # not those of folded answers, which are comments
        assert html.count("cell_output") >= shown, f"{stem}: outputs are missing"
        assert len(re.findall(r'<img alt="Figure[^"]*"[^>]* src="\.\./_images/', html)) >= shown, stem
        assert html.count("<details><summary>Answer") == source.count("<details><summary>Answer"), stem


def faults_of(page: Page) -> list[str]:
    """What is wrong with the page that is open."""
    page.wait(TYPESET, "the formulas")
    if page.evaluate("[...document.querySelectorAll('img[loading=lazy]')].map(i => i.loading = 'eager').length"):
        page.settle()
    faults = list(page.complaints)
    page.complaints.clear()
    if n := page.evaluate("document.querySelectorAll('mjx-merror, [data-mjx-error]').length"):
        faults.append(f"{n} formulas that MathJax does not understand")
    formulas, typeset = page.evaluate(
        "[document.querySelectorAll('.math').length, document.querySelectorAll('.math mjx-container > svg').length]"
    )
    if typeset < formulas:
        faults.append(f"{formulas} formulas, {typeset} typeset")
    if raw := page.evaluate(
        "[...document.querySelectorAll('article p')].filter(p => /\\$[^ ]+\\$/.test(p.textContent)).length"
    ):
        faults.append(f"{raw} paragraphs with a formula that was not recognized")
    faults += page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => 'no picture: ' + i.src)")
    if overflow := page.overflow():
        faults.append(f"{overflow} pixels wider than the screen")
    return faults


@pytest.mark.parametrize("half", [0, 1])  # so that two workers can share it
def test_every_page_on_a_phone(half: int, folder: Path, browser: Browser, address: str) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    names = [name for name in names if not name.startswith("source/")][half::2]
    assert len(names) > 40
    wrong = {}
    with browser.open(f"{address}/{names[0]}", width=390, height=844) as page:
        for name in names:
            page.go(f"{address}/{name}")
            if faults := faults_of(page):
                wrong[name] = faults
    assert not wrong, wrong


def test_formulas_and_figures_of_a_tutorial(browser: Browser, address: str) -> None:
    with browser.open(f"{address}/tutorials/06_softmax.html") as page:
        assert not faults_of(page)
        assert page.evaluate("document.querySelectorAll('.math mjx-container > svg').length") > 20
        assert (
            page.evaluate("[...document.querySelectorAll('.cell_output img')].filter(i => i.width > 300).length") >= 4
        )
        assert page.evaluate("[...document.querySelectorAll('article details')].every(d => !d.open)"), (
            "answers are folded"
        )
        seen = "document.querySelector('article details .highlight').checkVisibility()"
        assert page.evaluate(seen) is False
        page.evaluate("document.querySelector('article details > summary').click()")
        assert page.evaluate(seen) is True


def test_wide_figures_scroll_on_a_phone_so_that_their_labels_can_be_read(browser: Browser, address: str) -> None:
    with browser.open(f"{address}/tutorials/08_descending.html", width=390, height=844) as page:
        assert not faults_of(page)
        assert page.evaluate("Math.min(...[...document.querySelectorAll('.cell_output img')].map(i => i.width))") > 600


def test_the_menus_of_a_narrow_page_are_seen_when_the_keyboard_enters_them(browser: Browser, address: str) -> None:
    with browser.open(f"{address}/tutorials/08_descending.html", width=390, height=844) as page:
        for menu in (".sidebar-drawer", ".toc-drawer"):
            place = f"document.querySelector('{menu}').getBoundingClientRect()"
            hidden = f"({place}.right <= 0 || {place}.left >= innerWidth)"
            page.wait(hidden, f"{menu} beside the page")
            page.evaluate(f"[...document.querySelectorAll('{menu} li a')].at(-1).focus()")
            page.wait(f"!{hidden} && {place}.left >= 0 && {place}.right <= innerWidth", f"{menu} on the page")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("convolution", "operations/conv"),
        ("卷积", "glossary"),
        ("cross_entropy", "operations/loss"),
        ("dropout", "09_overfitting"),
    ],
)
def test_search(words: str, found: str, browser: Browser, address: str) -> None:
    with browser.open(f"{address}/index.html") as page:
        page.evaluate("document.querySelector('.sidebar-search').focus()")
        page.type(words)
        page.press("Enter")
        page.wait("location.pathname.endsWith('/search.html')", "the page of results")
        page.wait("document.querySelectorAll('#search-results li a').length > 0", f"results for {words}")
        page.wait(
            f"[...document.querySelectorAll('#search-results li a')].some(a => a.href.includes('{found}'))", found
        )
        assert not page.complaints


def test_tabs_show_one_implementation_at_a_time(browser: Browser, address: str) -> None:
    with browser.open(f"{address}/kernels/conv2d.html") as page:
        tabs = "document.querySelector('.sd-tab-set').querySelectorAll('.sd-tab-content')"
        shown = f"[...{tabs}].map(tab => tab.offsetHeight > 0)"
        assert page.evaluate(shown).index(True) == 0 and page.evaluate(shown).count(True) == 1
        page.evaluate("document.querySelectorAll('.sd-tab-set')[0].querySelectorAll('label')[3].click()")
        assert page.evaluate(shown).index(True) == 3 and page.evaluate(shown).count(True) == 1


@pytest.mark.parametrize(
    ("kernel", "launched"),
    [("activations", "relu_forward"), ("matmul", "matmul_async"), ("recurrent", "lstm_backward_step")],
)
def test_a_contract_shows_the_device_code_that_its_host_side_launches(kernel: str, launched: str, folder: Path) -> None:
    contracts, _ = (folder / "kernels" / f"{kernel}.html").read_text().split('<section id="complete-files">')
    assert f">{launched}</span>" in contracts


@pytest.mark.parametrize("width", [1400, 390])
def test_light_and_dark(width: int, browser: Browser, address: str, screenshots: Path) -> None:
    with browser.open(f"{address}/index.html", width=width, height=1000) as page:
        for name in SEEN:
            name = name if "/" in name or name not in TUTORIALS else f"tutorials/{name}"
            luminance = {}
            page.prefer(dark=False)
            page.go(f"{address}/{name}.html")
            for dark in (False, True):
                page.prefer(dark)
                assert not (faults := faults_of(page)), f"{name}: {faults}"
                luminance[dark] = _luminances(page)
                theme = "dark" if dark else "light"
                page.screenshot(screenshots / f"{name.replace('/', '-')}-{width}-{theme}.png")
            (text, ground), (dark_text, dark_ground) = luminance[False], luminance[True]
            assert text < 0.2 and ground > 0.9, f"{name}: light {luminance[False]}"
            assert dark_text > 0.5 and dark_ground < 0.1, f"{name}: dark {luminance[True]}"


def _luminances(page: Page) -> list[float]:
    """Of the text and of the ground behind it, from 0 (black) to 1 (white)."""
    colours = page.evaluate(
        "['color', 'backgroundColor'].map(key => getComputedStyle(document.querySelector("
        "key == 'color' ? 'article p, article dt' : 'body'))[key].match(/[0-9.]+/g).slice(0, 3).map(Number))"
    )
    return [(0.2126 * r + 0.7152 * g + 0.0722 * b) / 255 for r, g, b in colours]
