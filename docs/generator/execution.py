"""Executes the tutorials before Sphinx reads them, and keeps their results.

As many at a time as there are cores, the later ones first: they train longer, and none of them is left to the end, when
one core would wait for it. Those about speed run afterwards, one by one, since others would disturb the times that they
print. A tutorial that fails or that writes to stderr ends the build.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution

ABOUT_SPEED = ("10_convolution", "19_cython", "20_numba", "22_benchmarks", "23_one_convolution")


def execute(folder: Path, results: Path, timeout: int) -> None:
    """Execute the notebooks of a folder that have no result yet, each cell within `timeout` seconds."""
    cache = get_cache(str(results))
    notebooks = {path: nbformat.read(path, 4) for path in sorted(folder.glob("*.ipynb"))}
    new = [path for path in notebooks if not _known(cache, notebooks[path])]

    def run(path: Path) -> CacheBundleIn:
        done = single_nb_execution(notebooks[path], cwd=str(path.parent), timeout=timeout, allow_errors=False)
        outputs = [output for cell in done.nb.cells for output in cell.get("outputs", [])]
        complaints = "".join(output["text"] for output in outputs if output.get("name") == "stderr")
        if done.err is not None or complaints:
            raise RuntimeError(f"{path.stem} failed, or wrote to stderr:\n{done.exc_string or complaints}")
        return CacheBundleIn(done.nb, str(path), data={"execution_seconds": done.time})

    def keep(bundle: CacheBundleIn) -> None:
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for bundle in pool.map(run, [path for path in reversed(new) if path.stem not in ABOUT_SPEED]):
            keep(bundle)
    for path in new:
        if path.stem in ABOUT_SPEED:
            keep(run(path))


def _known(cache: object, notebook: nbformat.NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True
