"""The tutorials are complete, point at lines of the library that exist, and run as scripts.

Only some of them run here: the build of the site runs each of them as a notebook, with every assertion and the answers
to its exercises, and ends where one fails or warns (docs/generator/execution.py).
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / "tutorials"
TUTORIALS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
# Python shows a reader only those deprecations that his own lines meet, not those of one library in another.
WARNINGS = ["error", "ignore::DeprecationWarning", "error::DeprecationWarning:__main__", "ignore:FigureCanvasAgg"]
LINK = re.compile(r"\[(?P<shown>[^\]]+)\]\(\.\./(?P<path>[^)]+)\)(?:\s+`(?P<symbol>[\w.]+)`)?")

_missing = [name for name in ("matplotlib", "sklearn") if find_spec(name) is None]
runs = pytest.mark.skipif(bool(_missing), reason=f"{', '.join(_missing)} not installed: pip install -e .[tutorials]")
every_tutorial = pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)


def _text(path: Path) -> str:
    """The Markdown of a tutorial, on one line where it was wrapped."""
    cells = re.findall(r"^# %% \[markdown\]\n((?:#.*\n?)*)", path.read_text(), flags=re.MULTILINE)
    return "\n\n".join(re.sub(r"^# ?", "", cell, flags=re.MULTILINE) for cell in cells)


def _environment(**more: str) -> dict[str, str]:
    """This process's environment, for a tutorial on the digits of scikit-learn."""
    variables = {name: value for name, value in os.environ.items() if name != "MINIDL_DATA"}
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # several wait for each other very long where other programs run
    return {**variables, **one_thread, "MPLBACKEND": "agg", **more}


def _find_lines(path: str, symbol: str) -> tuple[int, str]:
    """`find_lines` of tutorials/library_lines.py, which is no package."""
    spec = spec_from_file_location("library_lines", FOLDER / "library_lines.py")
    library_lines = module_from_spec(spec)
    spec.loader.exec_module(library_lines)
    return library_lines.find_lines(path, symbol)


def _site_generator() -> ModuleType:
    """docs/generator/tutorials.py, which is found only from docs/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "docs")
        return import_module("generator.tutorials")


def _answers(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", _text(path), flags=re.DOTALL)


def _run_as_script(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    run = subprocess.run(
        [sys.executable, *(f"-W{warning}" for warning in WARNINGS), str(path)],
        cwd=REPOSITORY,  # as tutorials/README.md says
        env=_environment(**environment),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    return run


@runs
@pytest.mark.parametrize("stem", ["01_slope", "21_cuda"])
def test_runs_as_a_script(stem: str):
    if stem == "21_cuda" and not shutil.which("g++"):
        pytest.skip(f"{stem} needs g++")
    run = _run_as_script(FOLDER / f"{stem}.py")
    assert not run.stderr
    assert ("scikit-learn's digits" in run.stdout) == (stem == "01_slope")


@runs
@pytest.mark.parametrize(("stem", "says"), [("19_cython", "needs a C compiler"), ("21_cuda", r"needs g\+\+")])
def test_says_in_one_sentence_that_there_is_no_compiler(stem: str, says: str):
    run = subprocess.run(
        [sys.executable, f"{stem}.py"],
        cwd=FOLDER,
        env=_environment(PATH="", CC=""),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1 and re.fullmatch(rf"This tutorial {says}.*\.\n", run.stderr), run.stderr


@runs
@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "images"), [("06_softmax", 1500), ("09_overfitting", 6000), ("18_looking_inside", 3000)]
)
def test_reads_mnist_where_minidl_data_names_it(stem: str, images: int, data_folder: Path):
    printed = _run_as_script(FOLDER / f"{stem}.py", MINIDL_DATA=str(data_folder)).stdout
    assert f"MNIST: {images} training" in printed


@every_tutorial
def test_has_a_question_a_check_the_library_exercises_and_what_comes_next(path: Path):
    text = _text(path)
    number, _, name = path.stem.partition("_")
    assert re.match(rf"# {number} · \w", text), f"the first line must be the title, with the number {number}"
    question = re.search(r"\*\*Question\.\*\*(.*?)\n\n", text, flags=re.DOTALL)
    assert question and question[1].strip().endswith("?"), "one **Question.** that ends with a question mark"
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    for needed in ("The formula", "By hand", "Check", "In the library", "Something real", "Exercises", "Next"):
        found = any(heading.startswith(needed) for heading in headings)
        assert found, f"{name} lacks the section {needed!r}, it has {headings}"
    exercises = text.partition("## Exercises")[2].partition("## Next")[0]
    assert 2 <= exercises.count("<details><summary>Answer</summary>") == exercises.count("</details>") <= 4
    assert _answers(path), "no answer has code that shows it"


@every_tutorial
def test_says_the_next_tutorial_that_exists(path: Path):
    following = TUTORIALS[TUTORIALS.index(path) + 1 :][:1]
    links = re.findall(r"\]\((\d\d_\w+\.py)\)", _text(path).partition("## Next")[2])
    assert links == [tutorial.name for tutorial in following]


@every_tutorial
def test_asserts_what_it_claims(path: Path):
    statements = list(ast.walk(ast.parse(path.read_text())))
    assert sum(isinstance(statement, ast.Assert) for statement in statements) >= 4
    assert "plt.show()" in path.read_text()


@every_tutorial
def test_every_link_to_the_library_names_a_file_and_a_symbol_in_it(path: Path):
    text = re.sub(r"\n(?!\n)", " ", _text(path))
    links = list(LINK.finditer(text))
    assert links, "no link to the library's lines"
    assert text.count("](../") == len(links)
    for link in links:
        assert link["shown"] == link["path"], f"{link[0]}: the text and the target differ"
        assert link["symbol"], f"{link[0]} must be followed by `symbol`"
        first, source = _find_lines(link["path"], link["symbol"])
        assert link["symbol"].split(".")[-1] in source.splitlines()[0] or source.startswith("@"), (first, source)


def test_a_link_to_a_symbol_that_is_gone_is_found_out():
    with pytest.raises(LookupError, match="defines no Conv2d.sideways"):
        _find_lines("minidl/functional/conv.py", "Conv2d.sideways")


@pytest.mark.parametrize("file", ["cython_cpu.pyx", "cuda_gpu.py"])
def test_a_link_leads_to_an_assignment_too(file: str):
    _, source = _find_lines(f"kernels/activations/{file}", "relu_forward")
    assert source.startswith("relu_forward = partial(") and "\n" not in source


def test_the_engine_of_tutorial_02_has_sixty_lines():
    tree = ast.parse((FOLDER / "02_chain_rule.py").read_text())
    (engine,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert engine.end_lineno - engine.lineno + 1 <= 60


def test_the_list_names_every_tutorial_and_no_other():
    text = (FOLDER / "README.md").read_text()
    assert re.findall(r"\]\((\d\d_\w+\.py)\)", text) == [path.name for path in TUTORIALS]
    for path in TUTORIALS:
        title = _text(path).splitlines()[0].removeprefix("# ")
        assert title.partition(" · ")[2] in text, f"the list must carry the title of {path.name}: {title}"


def test_who_does_not_see_a_figure_is_told_its_titles():
    jupytext = pytest.importorskip("jupytext")
    said_in_figures = _site_generator()._said_in_figures
    for path in TUTORIALS:
        for cell in jupytext.read(path, fmt="py:percent").cells:
            if cell.cell_type == "code" and "plt.show()" in cell.source:
                assert "; " in said_in_figures(cell.source), f"{path.stem}: a figure without any text\n{cell.source}"
    table = "for k, (name, mark) in enumerate((('zeros', 'o'), ('ones', 's'))):\n    axes.plot(k, mark, label=name)"
    assert said_in_figures(table).endswith("code above; zeros; ones")
    assert said_in_figures("maps = {'edges': f('x')}\nfor t in maps: axes.set_title(t)").endswith("above; edges")
    assert said_in_figures("title = f'a {digit}'\nshow_image(axes, x, title)").endswith("above; a …")
