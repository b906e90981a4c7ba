"""Generators of a program's own, and the seed that the streams were started from."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import nn

X = minidl.tensor([0.2, 0.5, 0.3])
DRAWS = {
    "rand": lambda **options: minidl.rand(2, 3, **options),
    "randn": lambda **options: minidl.randn((2, 3), dtype=minidl.float64, **options),
    "randint": lambda **options: minidl.randint(0, 100, (5,), **options),
    "randperm": lambda **options: minidl.randperm(20, **options),
    "normal of numbers": lambda **options: minidl.normal(0.0, 2.0, (5,), **options),
    "normal of tensors": lambda **options: minidl.normal(X, X, **options),
    "bernoulli": lambda **options: minidl.bernoulli(minidl.full((30,), 0.5), **options),
    "multinomial": lambda **options: X.multinomial(2, **options),
    "multinomial with replacement": lambda **options: F.multinomial(X, 20, True, **options),
    "uniform_": lambda **options: minidl.empty(4).uniform_(-1, 1, **options),
    "normal_": lambda **options: minidl.empty(4).normal_(1, 2, **options),
    "bernoulli_": lambda **options: minidl.empty(30).bernoulli_(0.5, **options),
    "exponential_": lambda **options: minidl.empty(4).exponential_(2.0, **options),
    "rand_like": lambda **options: minidl.rand_like(X, **options),
    "randn_like": lambda **options: minidl.randn_like(X, **options),
    "init.uniform_": lambda **options: nn.init.uniform_(minidl.empty(4), -1, 1, **options),
    "init.normal_": lambda **options: nn.init.normal_(minidl.empty(4), **options),
    "init.trunc_normal_": lambda **options: nn.init.trunc_normal_(minidl.empty(40), a=-0.1, b=0.1, **options),
    "init.xavier_uniform_": lambda **options: nn.init.xavier_uniform_(minidl.empty(2, 3), **options),
    "init.xavier_normal_": lambda **options: nn.init.xavier_normal_(minidl.empty(2, 3), **options),
    "init.kaiming_uniform_": lambda **options: nn.init.kaiming_uniform_(minidl.empty(2, 3), **options),
    "init.kaiming_normal_": lambda **options: nn.init.kaiming_normal_(minidl.empty(2, 3), **options),
    "init.orthogonal_": lambda **options: nn.init.orthogonal_(minidl.empty(2, 3), **options),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("make", [np.random.default_rng, lambda seed: minidl.Generator().manual_seed(seed)])
def test_what_draws_takes_a_generator(name, make):
    state = minidl.random.get_state()
    generator = make(3)
    first, second, again = (DRAWS[name](generator=g) for g in (generator, generator, make(3)))
    assert minidl.equal(first, again)
    assert name.startswith("multinomial") or not minidl.equal(first, second)
    assert minidl.random.get_state() == state
    with pytest.raises(TypeError, match=r"numpy.random.Generator, got 3; .*minidl.Generator\(\).manual_seed\(seed\)"):
        DRAWS[name](generator=3)


def test_streams_keep_their_states_where_one_that_they_are_given_is_none():
    before = minidl.random.get_state()
    other = minidl.Generator().manual_seed(5).get_state()
    with pytest.raises(ValueError, match=r"state must be what get_state .* got \{'bit_generator': 'Philox'\}"):
        minidl.random.set_state(dict.fromkeys(before, other) | {"augmentation": {"bit_generator": "Philox"}})
    assert minidl.random.get_state() == before


def test_a_generator_is_seeded_copied_and_sent():
    generator = minidl.Generator(device="cpu")
    assert generator.initial_seed() == 0 and generator.manual_seed(5) is generator and generator.initial_seed() == 5
    minidl.rand(3, generator=generator)
    for other in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert isinstance(other, minidl.Generator) and other.initial_seed() == 5
        assert other.random() == copy.deepcopy(generator).random()
    generator.random()
    assert generator.manual_seed(5).random() == minidl.Generator().manual_seed(5).random()
    for seed in (-1, 2**64, 1.5):
        with pytest.raises(ValueError, match="seed must be an integer from 0"):
            generator.manual_seed(seed)


def test_a_generator_goes_back_to_a_state():
    generator = minidl.Generator().manual_seed(5)
    generator.integers(0, 10, 3, dtype=np.int32)  # leaves half of a 64-bit number for the next draw
    state = json.loads(json.dumps(generator.get_state()))
    drawn = minidl.randn(7, generator=generator)
    other = minidl.Generator()
    assert other.set_state(state) is other and other.initial_seed() == 5
    assert minidl.equal(minidl.randn(7, generator=other), drawn) and other.get_state() == generator.get_state()
    for wrong in (None, {}, minidl.random.get_state()):
        with pytest.raises(ValueError, match="state must be what get_state of a minidl.Generator returned, got"):
            other.set_state(wrong)


def test_a_generator_draws_a_seed_of_its_own():
    generator = minidl.Generator()
    seeds = {generator.seed() for _ in range(5)}
    assert len(seeds) == 5 and generator.initial_seed() in seeds
    assert generator.random() == minidl.Generator().manual_seed(generator.initial_seed()).random()


def test_the_seed_of_the_streams():
    before = minidl.initial_seed()
    with minidl.random.fork(seed=9):
        assert minidl.initial_seed() == 9
    assert minidl.initial_seed() == before


def test_a_fork_that_ends_with_an_error_restores_the_streams():
    before = minidl.random.get_state()
    with pytest.raises(ZeroDivisionError), minidl.random.fork(seed=9):
        raise ZeroDivisionError
    assert minidl.random.get_state() == before


def test_a_new_generator_has_the_seed_0_and_numbers_of_its_own():
    first = minidl.Generator().random()
    assert first == minidl.Generator().manual_seed(0).random()
    with minidl.random.fork(seed=0):
        assert first not in [minidl.random.generator(name).random() for name in minidl.random.STREAMS]


def test_a_state_brings_its_seed_along():
    with minidl.random.fork(seed=9):
        state = minidl.random.get_state()
    with minidl.random.fork(seed=1):
        minidl.random.set_state(state)
        assert minidl.initial_seed() == 9
    saved, restored = minidl.Generator().manual_seed(7), minidl.Generator()
    restored.bit_generator.state = saved.bit_generator.state
    assert restored.initial_seed() == 7
