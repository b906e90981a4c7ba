"""A million jobs of the thread pool from four Python threads at once, and some in each of a hundred forked children."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

from minidl import kernels

pool = pytest.importorskip("minidl.kernels.cpu.pool", reason="the Cython kernels are not built")

pytestmark = pytest.mark.slow
JOBS = 1_000_000


def count(jobs: int, wrong: list) -> None:
    counts = np.zeros(7, np.int_)
    for job in range(1, jobs + 1):
        pool.count_chunks(counts)
        if not (counts == job).all():
            wrong.append((job, counts.tolist()))
            return


def test_four_threads():
    before, wrong = kernels.get_num_threads(), []
    kernels.set_num_threads(3)
    try:
        callers = [threading.Thread(target=count, args=(JOBS // 4, wrong)) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    finally:
        kernels.set_num_threads(before)
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # that threads exist at the fork is the point
def test_forked_children():
    stop = threading.Event()

    def keep_the_pool_busy():
        while not stop.is_set():
            pool.count_chunks(np.zeros(50, np.int_))

    def in_child():
        wrong: list = []
        kernels.set_num_threads(3)
        count(1000, wrong)  # a pool that the fork has broken fails in the first; the million is above
        os._exit(bool(wrong))

    busy = threading.Thread(target=keep_the_pool_busy)
    busy.start()
    try:
        for _ in range(25):
            children = [multiprocessing.get_context("fork").Process(target=in_child) for _ in range(4)]
            for child in children:
                child.start()
            for child in children:
                child.join(120)
                assert child.exitcode == 0
    finally:
        stop.set()
        busy.join()
