"""Worker processes that fetch batches, for datasets whose samples take long to make.

Worker w of W makes the batches w, w + W, w + 2W, ... and sends them through a socket of its own. The program reads the
sockets in turn, so the batches come in order whatever the timing. A worker waits for one byte before each batch; the
program sends these bytes, and so limits how far the worker runs ahead. No lock is shared: a process that is killed is
noticed, and cannot leave the others waiting.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from socket import socket, socketpair
from typing import Any

import numpy as np

from minidl import kernels
from minidl.data.collate import to_arrays
from minidl.data.seeding import WorkerInfo, begin_worker_process, worker_seed

# Forking shares the dataset without a copy and takes any function as a transform; on macOS it is not safe.
DEFAULT_START_METHOD = "fork" if sys.platform.startswith("linux") else "spawn"

# A process that another thread forks at the same moment would inherit the new sockets and keep them open.
_starting = threading.Lock()


def _renew_lock() -> None:
    """In a forked child, where the thread that held the lock does not exist, or runs a worker."""
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _worker_main(
    fetch: Callable[[np.ndarray], Any],
    batches: Sequence[np.ndarray],
    epoch_key: int,
    info: WorkerInfo,
    worker_init_fn: Callable[[int], Any] | None,
    to_program: socket,
    program_end: socket,
) -> None:
    """Send `fetch(indices)` for each of `batches`, one for every byte that arrives."""
    program_end.close()  # else this process would not see that the program closes its end
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the program then ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the program's own handler, which a fork inherits
    kernels.set_num_threads(1)
    begin_worker_process(epoch_key, info)
    first = None if worker_init_fn is None else partial(worker_init_fn, info.id)
    for indices in batches:
        try:
            if not to_program.recv(1):
                return  # the program has ended, or wants no more batches
            _send(to_program, fetch, indices, first)
        except OSError:
            return
        first = None


def _send(
    to_program: socket, fetch: Callable[[np.ndarray], Any], indices: np.ndarray, first: Callable[[], Any] | None
) -> None:
    """Sends the batch or the error, a pickle followed by the bytes of each array.

    `first` is called before the batch is fetched, so that an error in it reaches the program too.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        if first is not None:
            first()
        content = pickle.dumps((to_arrays(fetch(indices)), None), protocol=5, buffer_callback=buffers.append)
    except BaseException as error:  # whatever it is, it belongs to the loop that waits for this batch
        error.add_note(f"\nRaised in a worker process of the DataLoader:\n{traceback.format_exc()}")
        buffers = []
        content = pickle.dumps((None, _sendable(error)))
    parts = [content, *(buffer.raw() for buffer in buffers)]
    sizes = np.array([len(parts), *(len(part) for part in parts)], dtype=np.int64)
    for part in (sizes.tobytes(), *parts):
        to_program.sendall(part)


def _receive(from_worker: socket) -> tuple[Any, BaseException | None]:
    """What `_send` sent: (batch, None) or (None, error)."""
    count = int(_receive_bytes(from_worker, 8).view(np.int64)[0])
    sizes = _receive_bytes(from_worker, 8 * count).view(np.int64)
    content, *buffers = [_receive_bytes(from_worker, int(size)) for size in sizes]
    return pickle.loads(content, buffers=buffers)


def _receive_bytes(from_worker: socket, size: int) -> np.ndarray:
    """The next bytes, straight into the memory that the batch's array will have."""
    memory = np.empty(size, dtype=np.uint8)
    received = 0
    while received < size:
        count = from_worker.recv_into(memory[received:])
        if count == 0:
            raise EOFError
        received += count
    return memory


def _sendable(error: BaseException) -> BaseException:
    """The error, or a RuntimeError with its text if it cannot be pickled and unpickled."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        substitute = RuntimeError(f"{type(error).__name__}: {error}")
        for note in error.__notes__:
            substitute.add_note(note)
        return substitute


class _Worker:
    """One process and the program's end of its socket."""

    def __init__(
        self,
        context: Any,
        info: WorkerInfo,
        fetch: Callable[[np.ndarray], Any],
        batches: Sequence[np.ndarray],
        epoch_key: int,
        worker_init_fn: Callable[[int], Any] | None,
    ):
        self.number = number = info.id
        with _starting, warnings.catch_warnings():
            # The child runs kernels on its one thread and takes no lock that another thread could have held.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded, use of fork", DeprecationWarning)
            self.socket, worker_end = socketpair()
            arguments = (fetch, batches, epoch_key, info, worker_init_fn, worker_end, self.socket)
            self.process = context.Process(
                target=_worker_main, args=arguments, name=f"minidl-worker-{number}", daemon=True
            )
            try:
                self.process.start()
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                self.socket.close()
                raise TypeError(
                    "the dataset, its transform, collate_fn or worker_init_fn cannot be sent to a worker process "
                    f"started by {context.get_start_method()!r} ({error}): define them at the top of a module, or use "
                    "num_workers=0 or multiprocessing_context='fork'"
                ) from error
            finally:
                worker_end.close()

    def request(self) -> None:
        """Allows the worker one more batch."""
        try:
            self.socket.send(b"\0")
        except OSError:
            pass  # it has ended; receive() tells how

    def receive(self, timeout: float) -> Any:
        """The worker's next batch; raises its error, or a RuntimeError when it was killed or is late."""
        self.socket.settimeout(timeout or None)  # for each part of the batch
        try:
            batch, error = _receive(self.socket)
        except TimeoutError:
            raise RuntimeError(
                f"DataLoader worker {self.number} (process {self.process.pid}) sent no batch within "
                f"timeout={timeout} seconds"
            ) from None
        except (EOFError, OSError):  # a killed worker's socket is closed: between two messages, or in the middle of one
            self.process.join(5)
            raise RuntimeError(
                f"DataLoader worker {self.number} (process {self.process.pid}) ended unexpectedly: "
                f"{self._how_it_ended()}"
            ) from None
        if error is not None:
            raise error
        return batch

    def _how_it_ended(self) -> str:
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"exit status {code}; its own error stands above in the terminal"
        advice = "; the machine may be out of memory, try fewer workers or a smaller batch_size"
        return f"killed by {signal.Signals(-code).name}{advice if -code == signal.SIGKILL else ''}"

    def stop(self) -> None:
        self.socket.close()
        self.process.kill()  # which a stopped process does not wait with, as it does with SIGTERM

    def join(self) -> None:
        self.process.join()
        # None: another thread, by starting a process, has waited for this one too, and is about to say how it ended.
        if self.process.exitcode is not None:
            self.process.close()


def from_workers(
    fetch: Callable[[np.ndarray], Any],
    batches: Sequence[np.ndarray],
    *,
    num_workers: int,
    epoch_key: int,
    ahead: int,
    timeout: float,
    start_method: str | None,
    dataset: Any = None,
    worker_init_fn: Callable[[int], Any] | None = None,
) -> Iterator[Any]:
    """Yields `fetch(indices)` for every batch in turn, each process computing up to `ahead` batches in front.

    The processes end with the loop, also when it is left early. An error in one is raised here, with its traceback as
    a note.
    """
    if multiprocessing.current_process().daemon:
        raise RuntimeError(
            "this process is itself a worker, of a DataLoader or a multiprocessing.Pool, and may start no others: "
            "a DataLoader in it needs num_workers=0"
        )
    context = multiprocessing.get_context(start_method or DEFAULT_START_METHOD)
    workers: list[_Worker] = []
    try:
        for number in range(min(num_workers, len(batches))):
            info = WorkerInfo(number, num_workers, worker_seed(epoch_key, number), dataset)
            workers.append(_Worker(context, info, fetch, batches[number::num_workers], epoch_key, worker_init_fn))
        for worker in workers:
            for _ in range(ahead):
                worker.request()
        for number in range(len(batches)):
            worker = workers[number % num_workers]
            batch = worker.receive(timeout)
            worker.request()
            yield batch
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()
