"""Builds the site: ``make site``, or ``python docs/build.py``. Pages are made in build/site, the result is site/."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from importlib.metadata import files
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from generator import benchmarks, execution, glossary, hand_written, kernels, operations, reference, tutorials  # noqa: E402
from generator.pages import ROOT, Pages  # noqa: E402
from generator.source_pages import source_files  # noqa: E402

BUILD, SITE = ROOT / "build" / "site", ROOT / "site"
MATHJAX = "sphinx-mathjax-offline"  # a package that carries MathJax 3; nothing else of it is used


def main() -> int:
    started = time.perf_counter()
    pages = Pages(BUILD / "pages")
    for part in (tutorials, operations, kernels, reference, benchmarks, hand_written, glossary):
        part.write(pages)
    pages.write("static/site.css", (DOCS / "site.css").read_bytes())
    pages.write("static/mathjax/tex-svg.js", _mathjax().read_bytes())

    _prepare_kernels_of_notebooks()
    html, doctrees = BUILD / "html", BUILD / "doctrees"  # both made anew: in old ones a function may be on two pages
    for folder in (html, doctrees):
        shutil.rmtree(folder, ignore_errors=True)
    from sphinx.cmd.build import main as sphinx

    print("The tutorials that changed are executed: some minutes when all of them are new.", flush=True)
    execution.execute(pages.folder / "tutorials", Path(os.environ["MINIDL_SITE_RESULTS"]), timeout=300)
    folders = ["-c", str(DOCS), "-d", str(doctrees), str(pages.folder), str(html)]
    status = sphinx(["-q", "-W", "--keep-going", "-j", "auto", *folders])
    if status == 0:
        shutil.rmtree(SITE, ignore_errors=True)
        html.rename(SITE)
    count = len(list(SITE.rglob("*.html")))
    print(f"site/index.html: {count} pages in {time.perf_counter() - started:.0f} s" if status == 0 else "no site")
    return status


def _mathjax() -> Path:
    for file in files(MATHJAX) or []:
        if file.name == "tex-svg.js":
            return Path(file.locate())
    raise FileNotFoundError(f"{MATHJAX} carries no tex-svg.js: expected a version of it with MathJax 3")


def _prepare_kernels_of_notebooks() -> None:
    """What the tutorials find around them: their helpers, the data that every machine has, one thread each.

    Their results are kept until the library or a helper changes; the cells themselves jupyter-cache compares.
    """
    os.environ["PYTHONPATH"] = str(ROOT / "tutorials")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["MINIDL_NUM_THREADS"] = "1"  # small kernels: two tutorials at a time are faster than two threads
    os.environ["IPYTHONDIR"] = str(BUILD / "ipython")
    profile = BUILD / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    shutil.copy(DOCS / "ipython_kernel_config.py", profile)
    os.environ.pop("MINIDL_DATA", None)
    digest = hashlib.sha256()
    for path in source_files():
        if path.startswith(("minidl/", "kernels/", "tutorials/")) and not Path(path).name[:2].isdigit():
            digest.update((ROOT / path).read_bytes())
    results = BUILD / f"executed-{digest.hexdigest()[:16]}"
    for old in BUILD.glob("executed-*"):
        if old != results:
            shutil.rmtree(old)
    os.environ["MINIDL_SITE_RESULTS"] = str(results)


if __name__ == "__main__":
    sys.exit(main())
