"""How a loop over a DataLoader ends early: it is left, the dataset fails, a process is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from multiprocessing.connection import wait

import numpy as np
import pytest

from minidl.data import DataLoader, TensorDataset, workers
from minidl.data.prefetch import prefetched

from .made_datasets import Numbers, numbers_of, wait_for


def zero_division():
    raise ZeroDivisionError


def stop_iteration():
    raise StopIteration


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


class Unpicklable(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def unpicklable_error():
    raise Unpicklable("two", "arguments")


@pytest.mark.parametrize("options", [{"prefetch": 2}, {"num_workers": 2}])
def test_leaving_early_ends_threads_and_processes(options):
    before = threading.active_count()
    for batch in DataLoader(Numbers(1000, delay=0.001), 2, **options):
        processes = set(batch[2].tolist()) - {os.getpid()}
        break
    assert threading.active_count() == before
    assert all(not process_lives(pid) for pid in processes)

    with pytest.raises(KeyError):
        for _ in DataLoader(Numbers(1000), 2, **options):
            raise KeyError("the consumer's own error")
    assert threading.active_count() == before

    iterator = iter(DataLoader(Numbers(1000), 2, **options))
    next(iterator)
    del iterator
    assert threading.active_count() == before


def test_leaving_early_ends_a_thread_that_waits_for_room():
    fetched = []

    class Counted(Numbers):
        def __getitem__(self, index):
            fetched.append(index)
            return index

    iterator = iter(DataLoader(Counted(1000), 1, prefetch=2))
    next(iterator)
    while len(fetched) < 3:
        time.sleep(0.001)
    time.sleep(0.05)  # now it waits
    leaving = threading.Thread(target=iterator.close, daemon=True)
    leaving.start()
    leaving.join(120)
    assert not leaving.is_alive() and len(fetched) == 3


def test_after_an_error_a_thread_fetches_no_more():
    fetched = []

    def fetch(indices):
        fetched.append(indices)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next(prefetched(fetch, [0, 1, 2], ahead=3))
    assert fetched == [0]


class SlowFromTheThirdOn(Numbers):
    def __getitem__(self, index):
        time.sleep(120 if index > 1 else 0)
        return index


@pytest.mark.parametrize("handler", [signal.SIG_DFL, lambda *_: None], ids=["default", "own"])
def test_leaving_early_does_not_wait_for_a_worker_that_is_busy(handler):
    before = signal.signal(signal.SIGTERM, handler)  # the program's own, which a fork inherits
    try:
        start = time.monotonic()
        for _ in DataLoader(SlowFromTheThirdOn(), 1, num_workers=2):
            break
        assert time.monotonic() - start < 100
    finally:
        signal.signal(signal.SIGTERM, before)


def process_lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("options", [{"prefetch": 0}, {"prefetch": 2}, {"num_workers": 2}])
def test_an_error_in_the_dataset_reaches_the_loop_after_the_batches_before_it(options):
    before = threading.active_count()
    seen = []
    with pytest.raises(ZeroDivisionError) as caught:
        for batch in DataLoader(Numbers(fault=zero_division), 2, **options):
            seen.append(batch[0].tolist())
    assert seen == [[0, 1], [2, 3]]
    assert "in zero_division" in "".join(traceback.format_exception(caught.value))  # the line at fault, wherever it ran
    assert threading.active_count() == before


@pytest.mark.parametrize("options", [{"prefetch": 0}, {"prefetch": 2}, {"num_workers": 2}])
def test_a_stop_iteration_in_the_dataset_does_not_end_the_epoch_in_silence(options):
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(DataLoader(Numbers(fault=stop_iteration), 2, **options))


def test_an_error_that_cannot_be_pickled_keeps_its_text():
    with pytest.raises(RuntimeError, match="Unpicklable: two arguments") as caught:
        numbers_of(DataLoader(Numbers(fault=unpicklable_error), 2, num_workers=1))
    assert "in unpicklable_error" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("prefetch", [1, 2])  # with 1 the worker has read all that was sent to it
def test_a_killed_worker_is_an_error_and_no_hang(prefetch):
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"worker 0 \(process \d+\) ended unexpectedly: killed by SIGKILL; .*memory"):
        numbers_of(DataLoader(Numbers(fault=kill_this_process), 2, num_workers=2, prefetch=prefetch))
    assert time.monotonic() - start < 100


def test_a_worker_killed_from_outside_while_it_waits():
    iterator = iter(DataLoader(Numbers(1000), 2, num_workers=2))
    batch = next(iterator)
    os.kill(int(batch[2].data[0]), signal.SIGKILL)
    with pytest.raises(RuntimeError, match="killed by SIGKILL"):
        list(iterator)


def test_a_worker_killed_in_the_middle_of_a_batch():
    iterator = iter(DataLoader(BigNumbers(), 1, num_workers=1))
    batch = next(iterator)
    time.sleep(0.2)  # by now it waits for room in the pipe, with half of the next batch sent
    os.kill(int(batch[1].data[0]), signal.SIGKILL)
    with pytest.raises(RuntimeError, match="killed by SIGKILL"):
        list(iterator)


class BigNumbers(Numbers):
    def __getitem__(self, index):
        return np.full(1_000_000, index), os.getpid()


def end_of_file():
    raise EOFError("a truncated file of the user's own")


def test_errors_that_look_like_those_of_the_pipe():
    with pytest.raises(EOFError, match="of the user's own"):
        numbers_of(DataLoader(Numbers(fault=end_of_file), 2, num_workers=2))


def test_a_batch_that_cannot_be_sent():
    loader = DataLoader(TensorDataset(np.arange(4)), 2, num_workers=1, collate_fn=lambda samples: threading.Lock())
    with pytest.raises(TypeError, match="pickle.*lock"):
        list(loader)


@pytest.mark.parametrize("status", [0, 3])
def test_a_worker_that_exits(status):
    with pytest.raises(RuntimeError, match=f"exit status {status}"):
        numbers_of(DataLoader(Numbers(fault=lambda: os._exit(status)), 2, num_workers=1))


def test_timeout():
    with pytest.raises(RuntimeError, match=r"no batch within timeout=0\.2 seconds"):
        numbers_of(DataLoader(Numbers(delay=5), 2, num_workers=1, timeout=0.2))


def large_batch(indices):
    return np.zeros(10_000_000)  # more than a socket holds


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system can't stop a process")
def test_timeout_of_a_worker_that_is_stopped_in_the_middle_of_a_batch():
    options = {"num_workers": 1, "epoch_key": 0, "ahead": 2, "timeout": 120, "start_method": None}
    batches = workers.from_workers(large_batch, list(np.zeros((2, 1), int)), **options)
    next(batches)
    worker = batches.gi_frame.f_locals["workers"][0]
    assert wait([worker.socket], 120)  # the second batch comes
    os.kill(worker.process.pid, signal.SIGSTOP)
    with pytest.raises(RuntimeError, match=r"no batch within timeout=0\.2 seconds"):
        worker.receive(0.2)
    batches.close()  # which ends the process, stopped as it is


PROGRAM_KILLED = """
import sys, time, numpy as np
from minidl.data import DataLoader, Dataset
class Slow(Dataset):
    def __len__(self): return 1000
    def __getitem__(self, index):
        import os
        return os.getpid()
pids = set()
for batch in DataLoader(Slow(), 1, num_workers=3):
    pids.add(batch.item())
    if len(pids) == 3:
        print(*pids, flush=True)
        try:
            time.sleep(600)
        finally:
            time.sleep(0.5)  # in which the workers could say something
"""


def test_workers_end_when_the_program_is_killed():
    with subprocess.Popen([sys.executable, "-c", PROGRAM_KILLED], stdout=subprocess.PIPE, text=True) as program:
        pids = [int(pid) for pid in program.stdout.readline().split()]
        program.kill()
    assert len(pids) == 3
    assert wait_for(lambda: not any(process_runs(pid) for pid in pids))


def test_ctrl_c_reaches_the_loop_alone():
    """All processes of a terminal get the signal: the workers end without a word, the program by its own error."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM_KILLED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # one in the background ignores it
    )  # fmt: skip
    pids = [int(pid) for pid in program.stdout.readline().split()]
    os.killpg(program.pid, signal.SIGINT)
    _, error = program.communicate(timeout=300)
    assert error.count("Traceback") == 1 and error.splitlines()[-1] == "KeyboardInterrupt"
    assert len(pids) == 3 and not any(process_runs(pid) for pid in pids)


class Nested(Numbers):
    """Sample i is made by a DataLoader of its own."""

    def __getitem__(self, index):
        return sum(numbers_of(DataLoader(Numbers(index + 2), 2, num_workers=1)))


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_workers_of_a_worker_are_refused(start_method):
    loader = DataLoader(Nested(3), num_workers=1, multiprocessing_context=start_method, timeout=60)
    with pytest.raises(RuntimeError, match="this process is itself a worker.*needs num_workers=0"):
        list(loader)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_while_another_thread_starts_workers():
    with workers._starting:
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # ends a child that waits for ever
            try:
                os._exit(numbers_of(DataLoader(Numbers(4), 2, num_workers=1)) != [0, 1, 2, 3])
            finally:
                os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_workers_that_start_while_another_thread_draws_random_numbers():
    drawing, done = threading.Event(), threading.Event()

    def draw():
        with np.random.get_bit_generator().lock:
            drawing.set()
            done.wait()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        drawing.wait()
        loader = DataLoader(Numbers(4), 2, num_workers=1, multiprocessing_context="fork", timeout=60)
        assert numbers_of(loader) == [0, 1, 2, 3]
    finally:
        done.set()
        thread.join()


def process_runs(pid):
    """Whether the process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
