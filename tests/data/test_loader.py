"""DataLoader: order, batches, threads, worker processes, errors."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl.data import DataLoader, Dataset, ImageDataset, Subset, TensorDataset, augmentation_generator, transforms


class Numbers(Dataset):
    """Sample i is (i, a random number, the process that made it); `fault` is raised at sample 5."""

    def __init__(self, n=20, fault=None, delay=0.0):
        self.n, self.fault, self.delay = n, fault, delay

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        time.sleep(self.delay)
        if index == 5 and self.fault is not None:
            self.fault()
        return np.int64(index), augmentation_generator().random(), os.getpid()


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


def numbers_of(loader):
    return [int(i) for batch in loader for i in batch[0].data]


def wait_for(condition):
    """Whether `condition` holds within five seconds."""
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@given(st.integers(1, 50), st.integers(1, 12), st.booleans(), st.booleans(), st.sampled_from([0, 1, 3]))
@settings(max_examples=60, deadline=None)
def test_an_epoch_holds_every_sample_once(n, batch_size, shuffle, drop_last, prefetch):
    loader = DataLoader(TensorDataset(np.arange(n)), batch_size, shuffle, drop_last=drop_last, prefetch=prefetch)
    batches = [x.tolist() for (x,) in loader]
    assert len(batches) == len(loader)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    seen = sum(batches, [])
    assert len(set(seen)) == len(seen) == (n // batch_size * batch_size if drop_last else n)
    if not shuffle:
        assert seen == list(range(len(seen)))


def test_the_same_batches_as_torch_without_shuffling():
    torch_data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    x, y = np.random.default_rng(0).random((10, 3)), np.arange(10)
    theirs = torch_data.DataLoader(torch_data.TensorDataset(torch.tensor(x), torch.tensor(y)), 4, drop_last=True)
    ours = DataLoader(TensorDataset(x, y), 4, drop_last=True)
    assert len(ours) == len(theirs)
    for (a, b), (c, d) in zip(ours, theirs, strict=True):
        assert isinstance(a, minidl.Tensor)
        np.testing.assert_array_equal(a.numpy(), c.numpy())
        np.testing.assert_array_equal(b.numpy(), d.numpy())


@pytest.mark.parametrize(
    "options",
    [{}, {"prefetch": 0}, {"prefetch": 5}, {"num_workers": 1}, {"num_workers": 3}, {"num_workers": 2, "prefetch": 1}],
)
def test_order_and_random_numbers_do_not_depend_on_who_fetches(options):
    def two_epochs(**options):
        minidl.manual_seed(11)
        loader = DataLoader(Numbers(), 3, shuffle=True, **options)
        return [(batch[0].tolist(), batch[1].tolist()) for _ in range(2) for batch in loader]

    expected = two_epochs(prefetch=0)
    assert expected[:7] != expected[7:]  # every epoch is another
    assert len({number for _, numbers in expected for number in numbers}) == 40
    assert two_epochs(**options) == expected


class RandomEverywhere(Dataset):
    """Samples drawn from the streams that programs use without a thought: NumPy's, Python's and minidl's."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return np.random.rand(), random.random(), minidl.rand(1).item()  # noqa: NPY002


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_workers_and_epochs_draw_different_numbers_and_the_seed_repeats_them(start_method):
    def drawn():
        loader = DataLoader(RandomEverywhere(), 2, num_workers=2, multiprocessing_context=start_method)
        return np.concatenate([np.stack(batch, axis=1) for _ in range(2) for batch in loader])

    minidl.manual_seed(3)
    first = drawn()
    assert all(len(np.unique(column)) == 24 for column in first.T)
    minidl.manual_seed(3)
    np.testing.assert_array_equal(drawn(), first)


def test_restoring_the_streams_repeats_the_epoch():
    loader = DataLoader(Numbers(), 4, shuffle=True)
    numbers_of(loader)
    state = minidl.random.get_state()
    second = [batch[1].tolist() for batch in loader]
    minidl.random.set_state(state)
    assert [batch[1].tolist() for batch in loader] == second


def test_an_own_generator_leaves_the_streams_alone():
    state = minidl.random.get_state()
    orders = [numbers_of(DataLoader(Numbers(), 4, shuffle=True, generator=np.random.default_rng(5))) for _ in range(2)]
    assert orders[0] == orders[1] != sorted(orders[0])
    assert minidl.random.get_state() == state


def test_whole_batches_of_images_with_augmentation_for_any_number_of_workers():
    dataset = ImageDataset(
        np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8), np.zeros(40, int), ["all"]
    )
    augmented = Subset(
        dataset.with_transform(
            transforms.Compose([transforms.RandomCrop(8, padding=2), transforms.RandomHorizontalFlip()])
        ),
        range(40),
    )
    assert augmented.batched

    def epoch(**options):
        minidl.manual_seed(0)
        return np.concatenate([x.data for x, _ in DataLoader(augmented, 8, **options)])

    plain = epoch()
    assert not np.array_equal(plain, np.concatenate([x.data for x, _ in DataLoader(dataset, 8)]))
    np.testing.assert_array_equal(plain, epoch(num_workers=2))
    np.testing.assert_array_equal(plain, epoch(prefetch=3))


def test_a_batched_dataset_is_asked_for_whole_batches_as_the_loop_needs_them():
    class Whole(Dataset):
        batched = True

        def __len__(self):
            return 6

        def get_batch(self, indices):
            asked.append(indices.tolist())
            return indices

    asked = []
    iterator = iter(DataLoader(Whole(), 2))
    assert next(iterator).tolist() == [0, 1] and asked == [[0, 1]]
    assert [batch.tolist() for batch in iterator] == asked[1:] == [[2, 3], [4, 5]]


def test_two_loops_at_once():
    loader = DataLoader(Numbers(), 4)
    assert [int(a[0].data[0]) == int(b[0].data[0]) for a, b in zip(loader, loader, strict=True)] == [True] * 5


def test_loops_in_two_threads_at_once():
    results = {}

    def run(name):
        results[name] = numbers_of(DataLoader(Numbers(), 3, num_workers=2, timeout=20))

    threads = [threading.Thread(target=run, args=(name,)) for name in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert results == {name: list(range(20)) for name in range(3)}


def test_collate_fn_gets_the_samples():
    loader = DataLoader(
        TensorDataset(np.arange(4)), 2, collate_fn=lambda samples: np.array([10 * s[0] for s in samples])
    )
    assert [batch.tolist() for batch in loader] == [[0, 10], [20, 30]]


def test_len_and_getitem_are_enough():
    class Squares:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return index**2

    assert [batch.tolist() for batch in DataLoader(Squares(), 2)] == [[0, 1], [4]]


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
    leaving.join(30)
    assert not leaving.is_alive() and len(fetched) == 3


class SlowFromTheThirdOn(Numbers):
    def __getitem__(self, index):
        time.sleep(30 if index > 1 else 0)
        return index


def test_leaving_early_does_not_wait_for_a_worker_that_is_busy():
    start = time.monotonic()
    for _ in DataLoader(SlowFromTheThirdOn(), 1, num_workers=2):
        break
    assert time.monotonic() - start < 10


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
    assert "zero_division" in "".join(traceback.format_exception(caught.value))  # the line at fault, wherever it ran
    assert threading.active_count() == before


@pytest.mark.parametrize("options", [{"prefetch": 0}, {"prefetch": 2}, {"num_workers": 2}])
def test_a_stop_iteration_in_the_dataset_does_not_end_the_epoch_in_silence(options):
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(DataLoader(Numbers(fault=stop_iteration), 2, **options))


def test_an_error_that_cannot_be_pickled_keeps_its_text():
    with pytest.raises(RuntimeError, match="Unpicklable: two arguments") as caught:
        numbers_of(DataLoader(Numbers(fault=unpicklable_error), 2, num_workers=1))
    assert "unpicklable_error" in "".join(traceback.format_exception(caught.value))


def test_a_killed_worker_is_an_error_and_no_hang():
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"worker 0 \(process \d+\) ended unexpectedly: killed by SIGKILL; .*memory"):
        numbers_of(DataLoader(Numbers(fault=kill_this_process), 2, num_workers=2))
    assert time.monotonic() - start < 10


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


def test_a_worker_that_exits():
    with pytest.raises(RuntimeError, match="exit status 3"):
        numbers_of(DataLoader(Numbers(fault=lambda: os._exit(3)), 2, num_workers=1))


def test_timeout():
    with pytest.raises(RuntimeError, match=r"no batch within timeout=0\.2 seconds"):
        numbers_of(DataLoader(Numbers(delay=5), 2, num_workers=1, timeout=0.2))


def test_a_slow_program_is_not_flooded():
    """Workers stop after the batches they may run ahead."""
    counter = multiprocessing.get_context("fork").Value("i", 0)

    class Counted(Dataset):
        def __len__(self):
            return 100

        def __getitem__(self, index):
            with counter.get_lock():
                counter.value += 1
            return index

    iterator = iter(DataLoader(Counted(), 1, num_workers=2, prefetch=3))
    next(iterator)
    assert wait_for(lambda: counter.value == 7)  # 2 workers x 3 ahead, and one for the batch that was taken
    time.sleep(0.1)
    assert counter.value == 7
    iterator.close()


def test_batches_larger_than_a_pipe_and_long_epochs():
    big = TensorDataset(np.arange(3 * 500_000, dtype=np.float64).reshape(3, -1))
    loader = DataLoader(big, 1, num_workers=2)
    assert [float(x.data[0, -1]) for (x,) in loader] == [499_999, 999_999, 1_499_999]
    many = TensorDataset(np.arange(200_000))
    assert sum(int(x.data.sum()) for (x,) in DataLoader(many, 50_000, num_workers=2)) == 200_000 * 199_999 // 2


def test_batches_from_workers_are_writable_tensors():
    (x,) = next(iter(DataLoader(TensorDataset(np.zeros((4, 2))), 2, num_workers=1)))
    x.data[0] = 1
    assert x.data.flags.writeable


def test_random_transform_with_its_own_generator_is_refused_in_workers():
    flip = transforms.RandomHorizontalFlip(generator=np.random.default_rng(0))
    dataset = ImageDataset(np.zeros((4, 1, 2, 2), np.uint8), np.zeros(4, int), ["all"], transform=flip)
    assert len(list(DataLoader(dataset, 2))) == 2
    with pytest.raises(RuntimeError, match="generator=None"):
        list(DataLoader(dataset, 2, num_workers=1))


class Products(Dataset):
    """Samples made by the kernels, which have threads of their own."""

    matrix = np.random.default_rng(0).random((256, 256), dtype=np.float32)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return minidl.kernels.matmul.forward(self.matrix, self.matrix)


def test_kernels_in_worker_processes_while_the_program_uses_them_too():
    expected = minidl.kernels.matmul.forward(Products.matrix, Products.matrix)
    for product in DataLoader(Products(), 1, num_workers=2, timeout=20):
        np.testing.assert_array_equal(product.data[0], expected)
        np.testing.assert_array_equal(minidl.kernels.matmul.forward(Products.matrix, Products.matrix), expected)


def test_spawned_workers_and_what_cannot_be_sent_to_them():
    loader = DataLoader(TensorDataset(np.arange(4)), 2, num_workers=1, multiprocessing_context="spawn")
    assert [x.tolist() for (x,) in loader] == [[0, 1], [2, 3]]
    unsendable = ImageDataset(
        np.zeros((4, 1, 2, 2), np.uint8), np.zeros(4, int), ["all"], transform=lambda image: image
    )
    with pytest.raises(TypeError, match="cannot be sent to a worker process started by 'spawn'"):
        list(DataLoader(unsendable, 2, num_workers=1, multiprocessing_context="spawn"))


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
            time.sleep(60)
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
    _, error = program.communicate(timeout=60)
    assert error.count("Traceback") == 1 and error.splitlines()[-1] == "KeyboardInterrupt"
    assert len(pids) == 3 and not any(process_runs(pid) for pid in pids)


def process_runs(pid):
    """Whether the process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an int, got 2.0"),
        ({"num_workers": -1}, ValueError, "num_workers must be at least 0"),
        ({"prefetch": -1}, ValueError, "prefetch must be at least 0"),
        ({"timeout": -1}, ValueError, "timeout must be at least 0"),
        ({"generator": 3}, TypeError, "numpy.random.Generator, got 3"),
        ({"multiprocessing_context": "thread"}, ValueError, "multiprocessing_context must be one of"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        DataLoader(TensorDataset(np.zeros(3)), **options)


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="the dataset is empty"):
        DataLoader(TensorDataset(np.zeros((0, 3))), 2)
