"""The play page as its user sees it: digits painted and drawn with the mouse, on a screen and on a phone."""

from __future__ import annotations

import base64
import functools
import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minidl import data, recipes
from minidl.play import look, make_server
from minidl.recipes import TrainedClassifier
from tests.no_pictures import no_pictures
from tests.site.browser import Browser, Page

LOOKS = "Number(document.body.dataset.looks || 0)"
SAID = "document.getElementById('said').textContent"
PAPER = "document.getElementById('paper')"
INKED = f"[...{PAPER}.getContext('2d').getImageData(0, 0, 280, 280).data].filter((v, i) => i % 4 == 0 && v).length"
BARS = """
[...document.querySelectorAll('#classes .name')].map(name => {
  const track = name.nextElementSibling;
  return [name.textContent, track.firstChild.getBoundingClientRect().width / track.getBoundingClientRect().width];
})
"""
# Of each layer: its heading, and how many colours each of its pictures has.
LAYERS = """
[...document.querySelectorAll('.layer')].map(layer => [layer.querySelector('h2').textContent,
  [...layer.querySelectorAll('canvas')].map(canvas =>
    new Set(new Uint32Array(
      canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)])
"""
ZERO = [(10 * np.cos(t) * 6.0 + 140, 10 * np.sin(t) * 9.5 + 140) for t in np.linspace(-1.6, 4.7, 24)]
ONE = [(96, 92), (146, 38), (146, 130), (146, 242)]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> TrainedClassifier:
    folder = tmp_path_factory.mktemp("run")
    with no_pictures():
        recipes.train(recipes.find("digits-cnn"), epochs=8, output=folder)
    return recipes.load_classifier(folder / recipes.CHECKPOINT)


@pytest.fixture(scope="module")
def play(classifier: TrainedClassifier) -> Iterator[str]:
    server = make_server(classifier)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join(120)


@pytest.fixture
def opened(browser: Browser, play: str) -> Iterator[Callable[..., Page]]:
    pages = []

    def opened(**how: object) -> Page:
        page = browser.open(play, **how)
        pages.append(page)
        page.wait(f"{LOOKS} > 0", "the first look, at an empty paper")
        return page

    yield opened
    for page in pages:
        page.close()


def png(number: int) -> bytes:
    """A test digit as a picture, 280 x 280."""
    stream = io.BytesIO()
    Image.fromarray(np.uint8(digit(number) * 255)).save(stream, "PNG")
    return stream.getvalue()


def digit(number: int) -> np.ndarray:
    _, test = data.digits()
    return test.images[number, 0].repeat(35, 0).repeat(35, 1)  # (280, 280)


def answer(page: Page, act: Callable[[], object]) -> str:
    """What the page says once it has answered what `act` did."""
    before = page.evaluate(LOOKS)
    act()
    page.wait(f"{LOOKS} > {before} && !asking", "an answer to all that was drawn")
    return page.evaluate(SAID)


def paint(page: Page, number: int) -> None:
    """A test digit on the paper, and the page told of it by a touch of the brush in the corner."""
    source = "data:image/png;base64," + base64.b64encode(png(number)).decode()
    page.evaluate(
        f"new Promise(done => {{ const image = new Image(); image.onload = () => {{ "
        f"{PAPER}.getContext('2d').drawImage(image, 0, 0); done(1); }}; image.src = {json.dumps(source)}; }})"
    )
    drag(page, [(2, 2)])


def drag(page: Page, points: list[tuple[float, float]]) -> None:
    """Draw along points of the paper, which is 280 wide, with the mouse."""
    page.evaluate(f"{PAPER}.scrollIntoView({{block: 'center'}})")
    left, top, width = page.evaluate(f"(b => [b.left, b.top, b.width])({PAPER}.getBoundingClientRect())")
    places = [(left + x * width / 280, top + y * width / 280) for x, y in points]
    page.mouse("mousePressed", *places[0])
    for place in places[1:]:
        page.mouse("mouseMoved", *place)
    page.mouse("mouseReleased", *places[-1])


def faults_of(page: Page) -> list[str]:
    overflow = page.overflow()
    return page.complaints + ([f"{overflow} pixels wider than the screen"] if overflow else [])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_a_drawn_digit(
    width: int, dark: bool, classifier: TrainedClassifier, opened: Callable[..., Page], screenshots: Path
) -> None:
    page = opened(width=width, height=900, dark=dark)
    assert not faults_of(page)
    said = answer(page, lambda: drag(page, ZERO))
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(screenshots / f"play-{width}-{'dark' if dark else 'light'}.png", whole=True)
    assert said.startswith("0, with "), said
    bars = dict(page.evaluate(BARS))
    assert list(bars) == classifier.classes and max(bars, key=bars.get) == "0"
    assert sum(bars.values()) == pytest.approx(1, abs=0.01)
    layers = page.evaluate(LAYERS)
    leaves = [module for module in classifier.model.modules() if not list(module.children())]
    assert len(layers) == len(leaves)
    for module, (heading, pictures) in zip(leaves, layers):
        assert type(module).__name__ in heading
        assert pictures and max(pictures) > 2, f"{heading}: no picture of it"
    assert len(layers[0][1]) == 16, "a picture of each channel of the first convolution"
    assert not faults_of(page)


def test_the_page_says_what_the_network_computed(classifier: TrainedClassifier, opened: Callable[..., Page]) -> None:
    page = opened()
    _, test = data.digits()
    for number in range(6):
        page.evaluate("document.getElementById('clear').click()")
        answer(page, functools.partial(paint, page, number))
        pixels = page.evaluate(
            f"[...{PAPER}.getContext('2d').getImageData(0, 0, 280, 280).data].filter((_, i) => i % 4 == 0)"
        )
        expected = look(classifier, np.reshape(pixels, (1, 280, 280)).astype(np.float32) / 255)
        assert page.evaluate(SAID) == f"{expected['label']}, with {100 * max(expected['probabilities'].values()):.1f} %"
        shown = page.evaluate(BARS)
        np.testing.assert_allclose([bar for _, bar in shown], list(expected["probabilities"].values()), atol=0.005)
    assert not page.complaints


def test_clear_brush_and_a_second_drawing(opened: Callable[..., Page]) -> None:
    page = opened()
    assert page.evaluate(INKED) == 0 and page.evaluate(SAID).startswith("Nothing is drawn yet")
    assert answer(page, lambda: drag(page, ZERO)).startswith("0")
    thin = page.evaluate(INKED)
    said = answer(page, lambda: page.evaluate("document.getElementById('clear').click()"))
    assert page.evaluate(INKED) == 0 and said.startswith("Nothing is drawn yet")
    page.evaluate("document.getElementById('brush').value = 40")
    answer(page, lambda: drag(page, ZERO))
    assert page.evaluate(INKED) > 1.2 * thin
    page.evaluate("document.getElementById('clear').click()")
    page.evaluate("document.getElementById('brush').value = 24")
    assert answer(page, lambda: drag(page, ONE)).startswith("1")
    assert not page.complaints


def test_drawing_by_the_keyboard(opened: Callable[..., Page]) -> None:
    page = opened(height=500)  # so that the page could scroll
    seen = "['tip', 'keys'].map(id => getComputedStyle(document.getElementById(id)).display == 'block')"
    assert page.evaluate(seen) == [False, False]
    page.press("Tab")
    assert page.evaluate(f"document.activeElement == {PAPER}") and page.evaluate(seen) == [True, True]
    for _ in range(13):
        page.press("ArrowUp", shift=True)
    assert page.evaluate(INKED) == 0, "with Shift the pen only moves"

    def draw_a_one() -> None:
        for _ in range(26):
            page.press("ArrowDown")

    assert answer(page, draw_a_one).startswith("1")
    row = f"[...{PAPER}.getContext('2d').getImageData(0, 140, 280, 1).data].filter((_, i) => i % 4 == 0)"
    assert 15 < np.count_nonzero(page.evaluate(row)) < 30, "one line, as wide as the brush"
    assert page.evaluate("scrollY") == 0
    assert not page.complaints


def test_opening_a_picture(classifier: TrainedClassifier, opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened()
    (tmp_path / "digit.png").write_bytes(png(3))
    (tmp_path / "notes.png").write_text("no picture")
    said = answer(page, lambda: choose(page, tmp_path / "digit.png"))
    expected = look(classifier, digit(3)[None])
    assert said.split(",")[0] == expected["label"]
    choose(page, tmp_path / "notes.png")
    page.wait(f"{SAID}.startsWith('notes.png is no picture')", "a word about a file that is no picture")
    assert answer(page, lambda: choose(page, tmp_path / "digit.png")) == said, "the same file once more"
    assert not page.complaints


def choose(page: Page, path: Path) -> None:
    """What the dialogue of the browser does when a file is chosen."""
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    page.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)


def test_a_server_that_does_not_answer_is_named(opened: Callable[..., Page]) -> None:
    page = opened()
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.emulateNetworkConditions", offline=True, **network)
    drag(page, ZERO)
    page.wait(f"{SAID}.startsWith('No answer')", "a word about the server")
    page.call("Network.emulateNetworkConditions", offline=False, **network)
    page.evaluate("document.getElementById('clear').click()")
    assert answer(page, lambda: drag(page, ZERO)).startswith("0"), "it goes on when the server is back"
