"""A thread that fetches the next batches while the program computes with the present one."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np


def prefetched(fetch: Callable[[np.ndarray], Any], batches: Sequence[np.ndarray], ahead: int) -> Iterator[Any]:
    """Yields `fetch(indices)` for every batch in turn, computed in a thread that runs up to `ahead` batches in front.

    The thread ends with the loop, also when the loop is left early. An error in `fetch` is raised here, with its
    traceback.
    """
    free_slots = threading.Semaphore(ahead)
    stop = threading.Event()
    results: queue.SimpleQueue = queue.SimpleQueue()

    def run() -> None:
        for indices in batches:
            free_slots.acquire()
            if stop.is_set():
                return
            try:
                results.put((fetch(indices), None))
            except BaseException as error:  # whatever it is, it belongs to the loop that waits for this batch
                results.put((None, error))
                return

    thread = threading.Thread(target=run, name="minidl-prefetch", daemon=True)
    thread.start()
    try:
        for _ in batches:
            batch, error = results.get()
            if error is not None:
                raise error
            free_slots.release()
            yield batch
    finally:
        stop.set()
        free_slots.release()
        thread.join()
