"""The driver sees what it is there to see: each fault is planted in a page of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.browser import Browser, BrowserError, Navigated, serve

FAULTS = {
    "missing picture": ("<img src='gone.png'>", "404"),
    "outgoing request": ("<img src='http://127.0.0.2:9/x.png'>", "outgoing request: http://127.0.0.2:9/x.png"),
    "outgoing font": (
        "<style>@font-face{font-family:a;src:url(http://127.0.0.2:9/a.woff2)} p{font-family:a}</style><p>text",
        "outgoing request",
    ),
    "error in a script": ("<script>nothing.there()</script>", "nothing is not defined"),
    "late request": ("<script>setTimeout(() => fetch('gone.json'), 50)</script>", "404"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_complains(fault: str, browser: Browser, tmp_path: Path) -> None:
    body, complaint = FAULTS[fault]
    (tmp_path / "index.html").write_text(f"<!doctype html><link rel=icon href='data:,'>{body}")
    with serve(tmp_path) as address, browser.open(f"{address}/index.html") as page:
        assert any(complaint in said for said in page.complaints), page.complaints


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_wider_than_the_screen(width: int, browser: Browser, tmp_path: Path) -> None:
    head = "<!doctype html><link rel=icon href='data:,'><meta name=viewport content='width=device-width'>"
    (tmp_path / "index.html").write_text(f"{head}<body style='margin: 0'><div style='width: {width + 30}px'>wide</div>")
    (tmp_path / "good.html").write_text(f"{head}<body style='margin: 0'><div style='width: {width}px'>not wide</div>")
    with serve(tmp_path) as address, browser.open(f"{address}/index.html", width=width) as page:
        assert abs(page.overflow() - 30) <= 1  # a zoomed page rounds
        page.go(f"{address}/good.html")
        assert page.overflow() == 0


def test_a_good_page_gives_no_complaint(browser: Browser, tmp_path: Path) -> None:
    body = "<title>good</title><input autofocus oninput='document.title = this.value'><script src=a.js></script>"
    (tmp_path / "index.html").write_text(f"<!doctype html><link rel=icon href='data:,'>{body}")
    (tmp_path / "a.js").write_text("window.loaded = true")
    with serve(tmp_path) as address, browser.open(f"{address}/index.html", width=390, dark=True) as page:
        assert page.evaluate("loaded") is True
        assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert page.evaluate("innerWidth") >= 390
        page.evaluate("document.querySelector('input').focus()")
        page.type("typed")
        assert page.evaluate("document.title") == "typed"
        page.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
        assert page.requests == [f"{address}/index.html", f"{address}/a.js"] and not page.complaints
        with pytest.raises(BrowserError, match="not defined"):
            page.evaluate("nothing.there")


def test_pages_that_lead_to_another(browser: Browser, tmp_path: Path) -> None:
    go_on = "onload = () => { const n = Number(location.search.slice(1)); if (n < 40) location.search = n + 1 }"
    (tmp_path / "index.html").write_text(f"<!doctype html><link rel=icon href='data:,'><script>{go_on}</script>")
    with serve(tmp_path) as address:
        with browser.open(f"{address}/index.html?0") as page:  # asked in the midst of it: the last one answers
            page.wait("location.search == '?40'", "the last page")
            with pytest.raises(Navigated):
                page.evaluate("new Promise(() => { location.search = '?0' })")
            page.wait("location.search == '?40' || new Promise(() => 0)", "the last page")
        for at in range(10):  # closed in the midst of it
            with browser.open(f"{address}/index.html?40") as page:
                page.evaluate(f"location.search = '{at}'")
