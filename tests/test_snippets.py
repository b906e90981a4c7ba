"""What README and the pages of docs/ tell their reader to type works.

Python is run as it stands, in an empty folder. A command line is run as it stands too, with exceptions: of `make`
the target is only asked for (`make test` is what runs this), but the demo is run; `train` does one epoch, and `play`
opens no browser and ends when it has said its address. DIR stands for a folder with 300 images like MNIST's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.data.made_files import write_idx_set

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    place: str  # "README.md:42"
    language: str
    text: str


def snippets(*languages: str) -> list[Snippet]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Snippet(f"{page.name}:{line}", match[1], match[2]))
    return [snippet for snippet in found if snippet.language in languages]


def commands() -> list[Snippet]:
    """One for each line; what follows # is for the reader."""
    lines = [(s.place, line.partition("#")[0].strip()) for s in snippets("sh") for line in s.text.splitlines()]
    return [Snippet(place, "sh", line) for place, line in lines if line]


def name(snippet: Snippet) -> str:
    return f"{snippet.place} {snippet.text.splitlines()[0]}"[:70]


def chains() -> dict[str, list[Snippet]]:
    """The commands of each page in their order, as what one writes the next may read."""
    found: dict[str, list[Snippet]] = {}
    for command in commands():
        found.setdefault(command.place.partition(":")[0], []).append(command)
    return found


def test_every_fence_says_its_language() -> None:
    known = {"python", "sh"}
    assert {s.language for s in snippets(*known)} == known
    assert len(snippets(*known)) == sum(len(FENCE.findall(page.read_text())) for page in PAGES)


@pytest.mark.parametrize("snippet", snippets("python"), ids=name)
def test_python(snippet: Snippet, tmp_path: Path) -> None:
    file = tmp_path / "snippet.py"
    file.write_text(snippet.text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, file.name], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("chain", chains().values(), ids=chains())
def test_commands(chain: list[Snippet], tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 13:16] = 255  # a one
    Image.fromarray(picture).save(tmp_path / "picture.png")
    write_idx_set(tmp_path / "data" / "mnist", count=300)
    for command in chain:
        run_command(command, tmp_path)


def run_command(snippet: Snippet, folder: Path) -> None:
    words = snippet.text.split()
    if words[0] == "make":
        run = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, f"{snippet.place} {snippet.text}: {run.stderr}"
        if words[1] != "demo":
            return
        (demo,) = [line for line in run.stdout.splitlines() if "minidl train" in line]
        words = ["minidl", *demo.split()[1:]]
    assert words[0] == "minidl", f"{snippet.place}: no test knows how to run {words[0]}"
    words = ["data" if word == "DIR" else word for word in words[1:]]
    if words[0] == "train":
        words += ["--epochs", "1"]
    command = [sys.executable, "-m", "minidl", *words]
    if words[0] == "play":
        server = subprocess.Popen([*command, "--no-browser"], cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline().startswith("http://127.0.0.1:"), f"{snippet.place} {snippet.text}"
        finally:
            server.terminate()
            server.communicate(timeout=300)
        return
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, f"{snippet.place} {snippet.text}: {run.stderr}"
