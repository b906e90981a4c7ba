"""Samplers: the samples of an epoch in an order of their own, drawn by weight, or batch by batch."""

import numpy as np
import pytest

import minidl
from minidl.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    augmentation_generator,
)  # fmt: skip

TEN = TensorDataset(np.arange(10))


class TenAugmented(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, augmentation_generator().random()


class WholeBatches(TenAugmented):
    batched = True

    def get_batch(self, indices):
        return indices, np.full(len(indices), augmentation_generator().random())


def batches_of(loader):
    return [batch[0].tolist() for batch in loader]


@pytest.mark.parametrize("options", [{}, {"drop_last": True}, {"num_workers": 2}])
@pytest.mark.parametrize("dataset", [TEN, TenAugmented(), WholeBatches()])
def test_a_sampler_gives_the_batches_of_torch(options, dataset):
    torch_data = pytest.importorskip("torch.utils.data")
    order = [3, 3, 9, 0, 3, 7, 1]
    loader = DataLoader(dataset, 3, sampler=order, **options)
    theirs = torch_data.DataLoader(range(10), 3, sampler=order, drop_last=options.get("drop_last", False))
    assert batches_of(loader) == [batch.tolist() for batch in theirs]
    assert len(loader) == len(theirs)


@pytest.mark.parametrize("dataset", [TEN, TenAugmented(), WholeBatches()])
def test_a_batch_sampler_gives_the_batches(dataset):
    groups = [[1, 2], [5], [2, 2, 0]]
    loader = DataLoader(dataset, batch_sampler=groups)
    assert batches_of(loader) == groups and len(loader) == 3
    assert batches_of(DataLoader(dataset, batch_sampler=[])) == []


@pytest.mark.parametrize("dataset", [TenAugmented(), WholeBatches()])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_sample_that_comes_again_is_augmented_anew(dataset, num_workers):
    def numbers(order):
        minidl.manual_seed(0)
        return [
            v for _, batch in DataLoader(dataset, 1, sampler=order, num_workers=num_workers) for v in batch.tolist()
        ]

    assert len(set(numbers([4, 4, 1, 4]))) == 4
    assert numbers(range(10)) == numbers(None)  # and one that comes once, as without a sampler


def test_positions_may_be_tensors_and_subsets_are_sampled_by_their_own_positions():
    assert batches_of(DataLoader(TEN, 2, sampler=minidl.tensor([4, 2, 0]))) == [[4, 2], [0]]
    assert batches_of(DataLoader(Subset(TEN, [7, 8, 9]), 2, sampler=[2, 0])) == [[9, 7]]


def test_weighted_draws_have_the_frequencies_of_their_weights():
    weights = np.array([1.0, 0.0, 3.0, 4.0])
    sampler = WeightedRandomSampler(minidl.tensor(weights), 8000, generator=np.random.default_rng(0))
    counts = np.bincount(list(sampler), minlength=4)
    expected = 8000 * weights / 8
    assert counts[1] == 0 and len(sampler) == 8000
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected + 1)).all()


def test_weighted_draws_without_replacement_are_different_samples():
    sampler = WeightedRandomSampler([1, 2, 0, 5], 3, replacement=False)
    assert sorted(sampler) == [0, 1, 3]


def test_weighted_draws_come_from_the_shuffling_stream_anew_each_epoch():
    sampler = WeightedRandomSampler(np.ones(50), 50)
    minidl.manual_seed(1)
    first, second = list(sampler), list(sampler)
    minidl.manual_seed(1)
    assert list(sampler) == first != second


def test_weighted_draws_of_a_generator_leave_the_streams_alone():
    minidl.manual_seed(1)
    before = minidl.random.get_state()
    first, second = (list(WeightedRandomSampler(np.ones(50), 50, generator=np.random.default_rng(3))) for _ in range(2))
    assert first == second and minidl.random.get_state() == before


def test_datasets_one_after_the_other():
    both = ConcatDataset([TEN, TensorDataset(np.zeros(0, int)), Subset(TEN, [5])]) + Subset(TEN, [3, 4])
    assert [int(both[i][0]) for i in range(len(both))] == [*range(10), 5, 3, 4]
    assert int(both[-1][0]) == 4
    assert batches_of(DataLoader(both, 5))[2] == [5, 3, 4]
    three = ConcatDataset([Subset(TEN, [0]), Subset(TEN, [1, 2]), Subset(TEN, [3, 4, 5])])
    assert [int(three[i][0]) for i in range(6)] == list(range(6))
    with pytest.raises(IndexError, match=r"index must lie in -13\.\.12, got 13"):
        both[13]
    with pytest.raises(ValueError, match="at least one dataset"):
        ConcatDataset([])


@pytest.mark.parametrize("name", ["sampler", "batch_sampler"])
def test_a_sampler_without_a_length_gives_its_batches_but_no_number_of_them(name):
    loader = DataLoader(TEN, **{name: ([place] if name == "batch_sampler" else place for place in (3, 1))})
    with pytest.raises(TypeError, match=f"the {name} has no length.* give generator a __len__, or pass a list"):
        len(loader)
    assert batches_of(loader) == [[3], [1]]


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"sampler": [0], "shuffle": True}, ValueError, "shuffle must be False"),
        ({"batch_sampler": [[0]], "batch_size": 2}, ValueError, "give no batch_size"),
        ({"batch_sampler": [[0]], "drop_last": True}, ValueError, "give no batch_size"),
        ({"sampler": [0, 10]}, IndexError, "positions from 0 to 9, got 0 to 10"),
        ({"sampler": [-1]}, IndexError, "positions from 0 to 9, got -1$"),
        ({"sampler": [1.5]}, TypeError, "sampler must give integers"),
        ({"batch_sampler": [[1], []]}, ValueError, "a batch without samples"),
        ({"batch_sampler": [1]}, TypeError, "batch_sampler must give integers"),
    ],
)
def test_wrong_samplers(options, error, message):
    with pytest.raises(error, match=message):
        list(DataLoader(TEN, **options))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (([[1.0]], 1), ValueError, r"got shape \(1, 1\)"),
        (([-1.0, 2.0], 1), ValueError, "at least 0"),
        (([np.nan, 2.0], 1), ValueError, "finite"),
        (([np.inf, 2.0], 1), ValueError, "finite"),
        (([0.0, 0.0], 1), ValueError, "not all 0"),
        (([1.0], 0), ValueError, "num_samples must be from 1"),
        (([1.0], 2.0), TypeError, "num_samples must be an int"),
        (([1.0, 0.0], 2, False), ValueError, "from 1 to 1, got 2"),
        (([1.0], 1, True, 3), TypeError, "numpy.random.Generator"),
    ],
)
def test_wrong_weights(arguments, error, message):
    with pytest.raises(error, match=message):
        WeightedRandomSampler(*arguments)


def test_what_is_sampled_may_be_named():
    class Pairs(Sampler[list[int]]):
        def __iter__(self):
            return iter([[0, 1], [2, 3]])

    class Squares(Dataset[tuple[int, int]]):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return index, index**2

    assert batches_of(DataLoader(Squares(), batch_sampler=Pairs())) == [[0, 1], [2, 3]]


def test_an_unfinished_sampler_says_what_it_lacks():
    class Empty(Sampler):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define __iter__"):
        list(DataLoader(TEN, sampler=Empty()))
    with pytest.raises(NotImplementedError, match="Empty must define __len__"):
        len(Empty())


@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_of_a_sampler_are_those_of_torch(drop_last):
    torch_data = pytest.importorskip("torch.utils.data")
    for n, size in ((10, 4), (9, 4), (8, 4), (3, 4), (0, 2)):
        ours = BatchSampler(SequentialSampler(range(n)), size, drop_last)
        theirs = torch_data.BatchSampler(torch_data.SequentialSampler(range(n)), size, drop_last)
        assert list(ours) == list(theirs) and len(ours) == len(theirs)
        if n:
            for options in ({}, {"sampler": range(n)}):
                loader = DataLoader(
                    TEN if options else TensorDataset(np.arange(n)), size, drop_last=drop_last, **options
                )
                assert len(loader) == len(theirs) and loader.samples == sum(len(batch) for batch in theirs)
    assert batches_of(DataLoader(TEN, batch_sampler=BatchSampler([7, 3, 5], 2, False))) == [[7, 3], [5]]


def test_random_samplers_give_each_sample_as_often_as_torchs():
    torch_data = pytest.importorskip("torch.utils.data")
    for number in (None, 4, 10, 23):
        ours = RandomSampler(TEN, num_samples=number)
        theirs = torch_data.RandomSampler(range(10), num_samples=number)
        drawn = list(ours)
        assert len(ours) == len(theirs) == len(drawn) == len(list(theirs))
        for start in range(0, len(drawn), 10):
            round_ = drawn[start : start + 10]
            assert len(set(round_)) == len(round_)  # all of them come before one comes again
    drawn = list(RandomSampler(TEN, replacement=True, num_samples=10_000, generator=np.random.default_rng(0)))
    assert len(drawn) == 10_000 and (np.abs(np.bincount(drawn, minlength=10) - 1000) < 4 * np.sqrt(1000)).all()
    orders, sampler = np.random.default_rng(0), RandomSampler(TEN, generator=np.random.default_rng(0))
    assert list(sampler) + list(sampler) == [*orders.permutation(10), *orders.permutation(10)]  # one in each epoch
    assert list(RandomSampler([])) == []
    assert sorted(SubsetRandomSampler(np.array([5, 3, 8]))) == [3, 5, 8] and len(SubsetRandomSampler([5, 3])) == 2
    assert sorted(SubsetRandomSampler(minidl.tensor([5, 3, 8]))) == [3, 5, 8]


@pytest.mark.parametrize("make", [RandomSampler, lambda data, **options: SubsetRandomSampler(range(50), **options)])
def test_random_samplers_draw_from_the_shuffling_stream_or_a_generator(make):
    fifty = TensorDataset(np.arange(50))
    minidl.manual_seed(1)
    first, second = list(make(fifty)), list(make(fifty))
    minidl.manual_seed(1)
    assert list(make(fifty)) == first != second
    before = minidl.random.get_state()
    assert list(make(fifty, generator=np.random.default_rng(3))) == list(
        make(fifty, generator=np.random.default_rng(3))
    )
    assert minidl.random.get_state() == before


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: RandomSampler(TEN, num_samples=0), ValueError, "num_samples must be at least 1, got 0"),
        (lambda: RandomSampler(TEN, num_samples=2.0), TypeError, "num_samples must be an int"),
        (lambda: RandomSampler(TEN, generator=3), TypeError, "numpy.random.Generator"),
        (lambda: SubsetRandomSampler([1], generator=3), TypeError, "numpy.random.Generator"),
        (lambda: BatchSampler([1], 0, False), ValueError, "batch_size must be at least 1"),
        (lambda: BatchSampler([1], True, False), TypeError, "batch_size must be an int"),
        (lambda: BatchSampler([1], 1, 1), TypeError, "drop_last must be True or False, got 1"),
    ],
)
def test_wrong_arguments_of_samplers(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("replacement", [False, True])
def test_nothing_can_be_drawn_from_an_empty_dataset(replacement):
    assert list(RandomSampler([])) == []
    with pytest.raises(ValueError, match="num_samples is 5, but data_source has no samples"):
        iter(RandomSampler([], replacement, 5))
