"""DataLoader: order, batches, threads, worker processes, arguments."""

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl.data import DataLoader, Dataset, ImageDataset, Subset, TensorDataset, default_collate, transforms

from .made_datasets import Numbers, RandomEverywhere, numbers_of, wait_for


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


class WholeBatches(Dataset):
    """Sample i is a batch of i + 1 rows, with a text and a number."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return np.full((index + 1, 2), index), {"name": str(index), "half": index / 2}


def _twice(sample):
    return sample[0] * 2


@pytest.mark.parametrize("options", [{}, {"sampler": [2, 0]}, {"num_workers": 2}, {"collate_fn": _twice}])
def test_without_a_batch_size_every_sample_comes_as_it_is(options):
    torch_data = pytest.importorskip("torch.utils.data")

    def listed(sample):
        return sample.tolist() if hasattr(sample, "tolist") else [listed(sample[0]), sample[1]]

    ours, theirs = (L.DataLoader(WholeBatches(), batch_size=None, **options) for L in (minidl.data, torch_data))
    assert len(ours) == len(theirs) == len(options.get("sampler", "012"))
    assert [listed(x) for x in ours] == [listed(x) for x in theirs]
    assert all(isinstance(x if "collate_fn" in options else x[0], minidl.Tensor) for x in ours)


def test_a_dataset_that_can_fetch_batches_gives_samples_without_a_batch_size():
    dataset = TensorDataset(np.arange(3.0), np.arange(3))
    assert dataset.batched
    assert [(x.item(), y.item()) for x, y in DataLoader(dataset, None)] == [(0.0, 0), (1.0, 1), (2.0, 2)]


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


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_workers_and_epochs_draw_different_numbers_and_the_seed_repeats_them(start_method):
    options = {"multiprocessing_context": start_method, "persistent_workers": start_method == "spawn"}

    def drawn():
        loader = DataLoader(RandomEverywhere(), 2, num_workers=2, **options)
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
        results[name] = numbers_of(DataLoader(Numbers(), 3, num_workers=2, timeout=120))

    threads = [threading.Thread(target=run, args=(name,)) for name in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert results == {name: list(range(20)) for name in range(3)}


def test_a_worker_that_another_thread_has_waited_for(monkeypatch):
    """As happens when it starts a process at this moment: then the loop's own thread does not learn how it ended."""
    wait, known = os.waitpid, list(multiprocessing.process._children)

    def wait_for_another(pid, options):
        wait(pid, 0)
        raise ChildProcessError

    loop = iter(DataLoader(Numbers(), 3, num_workers=2))
    first = [int(i) for i in next(loop)[0].data]
    workers = [process for process in multiprocessing.process._children if process not in known]
    with monkeypatch.context() as patch:
        patch.setattr(os, "waitpid", wait_for_another)
        assert first + [int(i) for batch in loop for i in batch[0].data] == list(range(20))
    assert len(workers) == 2
    for process in workers:
        process._popen.returncode = -9  # what the other thread sets


def _mixed(samples):
    x, y = default_collate(samples)
    return x * 0.5 + x.roll(1, 0) * 0.5, y


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_collate_fn_computes_with_tensors(num_workers):
    loader = DataLoader(TensorDataset(np.arange(3.0), np.arange(3)), 3, collate_fn=_mixed, num_workers=num_workers)
    ((x, y),) = loader
    assert (x.tolist(), y.tolist()) == ([1.0, 0.5, 1.5], [0, 1, 2])


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
    for product in DataLoader(Products(), 1, num_workers=2, timeout=120):
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


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"prefetch": 1, "prefetch_factor": 1, "num_workers": 1}, ValueError, "give one of them, not both"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor needs worker processes: give num_workers"),
        ({"persistent_workers": True}, ValueError, "persistent_workers needs worker processes"),
        ({"worker_init_fn": 3}, TypeError, "worker_init_fn must be a function .*, got 3"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an int, got 2.0"),
        ({"batch_size": None, "drop_last": True}, ValueError, "batch_size=None makes no batches: drop_last must be"),
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


def test_what_has_no_length_is_refused():
    with pytest.raises(TypeError, match="dataset must have a length .*, got generator; .* make a list"):
        DataLoader(i for i in range(3))


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="the dataset is empty"):
        DataLoader(TensorDataset(np.zeros((0, 3))), 2)
