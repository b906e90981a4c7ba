"""Executes the tutorials before Sphinx reads them, as many at a time as there are cores, and keeps their results.

Those about speed are left to MyST-NB, which executes what has no result yet, one after the other. So is a tutorial that
fails, for it to report.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution

ABOUT_SPEED = ("10_convolution", "19_cython", "20_numba", "22_benchmarks", "23_one_convolution")


def execute(folder: Path, results: Path, timeout: int) -> None:
    """Execute the notebooks of a folder that have no result yet, each cell within `timeout` seconds."""
    cache = get_cache(str(results))
    paths = [path for path in sorted(folder.glob("*.ipynb")) if path.stem not in ABOUT_SPEED]
    notebooks = {path: nbformat.read(path, 4) for path in paths}
    new = [path for path in paths if not _known(cache, notebooks[path])]

    def run(path: Path) -> ExecutionResult:
        return single_nb_execution(notebooks[path], cwd=str(path.parent), timeout=timeout, allow_errors=False)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, done in zip(new, pool.map(run, new)):
            if done.err is None:
                bundle = CacheBundleIn(done.nb, str(path), data={"execution_seconds": done.time})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def _known(cache: object, notebook: nbformat.NotebookNode) -> bool:
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True
