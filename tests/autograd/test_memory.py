"""Long graphs, memory that goes when the last user goes, nothing left to the cycle collector, threads."""

from __future__ import annotations

import gc
import os
import signal
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import nn, tensor
from minidl.autograd import engine


@pytest.fixture
def no_collector():
    """The cycle collector off; at the end nothing may be there for it."""
    gc.collect()
    gc.disable()
    yield
    found = gc.collect()
    gc.enable()
    assert found == 0, f"{found} objects hold each other in cycles"


def network_step(x, labels, parameters):
    w1, b1, w2 = parameters
    y = F.conv2d(x, w1, b1, padding=1).relu()
    y = F.max_pool2d(F.batch_norm(y, training=True), 2).flatten(1)
    loss = F.cross_entropy(F.dropout(y, 0.5) @ w2, labels) + 1e-3 * (w2 * w2).sum()
    loss.backward()
    with minidl.no_grad():
        for w in parameters:
            w -= 0.1 * w.grad
            w.grad = None
    return loss.item()


def network():
    random = np.random.default_rng(0)
    x = tensor(random.standard_normal((4, 2, 8, 8)).astype(np.float32))
    labels = tensor(random.integers(0, 5, 4))
    shapes = [(3, 2, 3, 3), (3,), (48, 5)]
    return x, labels, [tensor(random.standard_normal(s).astype(np.float32) * 0.1, requires_grad=True) for s in shapes]


def test_50_000_chained_operations(no_collector):
    """Forward, backward and the end of the graph: none of them recurses."""
    x = tensor(np.ones(2), requires_grad=True)
    y = x
    for _ in range(25_000):
        y = (y * 1.0001).tanh()
    last = weakref.ref(y.origin)
    y.sum().backward()
    assert x.grad.shape == (2,) and np.isfinite(x.grad.numpy()).all()
    del y
    assert last() is None


def test_50_000_chained_operations_that_nobody_walks(no_collector):
    y = tensor(np.ones(2), requires_grad=True)
    for _ in range(50_000):
        y = y + 1
    first = weakref.ref(y.origin)
    del y
    assert first() is None


def test_a_chain_of_views_and_of_retained_graphs(no_collector):
    x = tensor(np.ones((2, 3)), requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y.reshape(-1).reshape(2, 3)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * np.ones((2, 3)))


def test_a_forward_pass_leaves_no_cycles(no_collector):
    x, labels, parameters = network()
    network_step(x, labels, parameters)


def test_higher_derivatives_leave_no_cycles(no_collector):
    x = tensor(np.ones(3), requires_grad=True)
    y = (x.exp() * x.softmax(0)).sum()
    (dx,) = minidl.grad(y, x, create_graph=True)
    (dx * dx).sum().backward()
    del y, dx
    x.grad = None


def test_a_module_leaves_no_cycles(no_collector):
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    loss = model(tensor(np.ones((2, 4), np.float32))).sum()
    loss.backward()


def test_200_steps_without_growth(no_collector):
    x, labels, parameters = network()
    for _ in range(20):  # fills what is remembered by shape
        network_step(x, labels, parameters)
    tracemalloc.start()
    network_step(x, labels, parameters)
    kept = tensor(np.ones(1000))
    array_bytes, objects = memory_in_use()
    for _ in range(200):
        network_step(x, labels, parameters)
    array_bytes_after, objects_after = memory_in_use()
    tracemalloc.stop()
    assert array_bytes == array_bytes_after == kept.data.nbytes
    assert objects_after < objects + 100  # less than one for two steps: a snapshot makes some of its own


def memory_in_use():
    """(bytes of arrays, number of objects that the collector would have to look at)."""
    arrays = tracemalloc.take_snapshot().filter_traces([tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)])
    return sum(trace.size for trace in arrays.traces), len(gc.get_objects())


def test_backward_frees_what_was_saved_as_it_goes():
    x = tensor(np.ones(4), requires_grad=True)
    y = x.exp()
    values = weakref.ref(y.data)
    loss = y.sum()
    del y
    assert values() is not None  # exp's rule reads its output
    loss.backward()
    assert values() is None


def test_results_that_nobody_needs_are_not_kept():
    x = tensor(np.ones(4), requires_grad=True)
    y = x + 1
    values = weakref.ref(y.data)
    loss = (y * 2 + y / 3).sum()
    del y
    assert values() is None  # neither the sums nor the products with numbers read it
    loss.backward()


def test_no_grad_keeps_nothing():
    x = tensor(np.ones(4), requires_grad=True)
    with minidl.no_grad():
        y = x.exp()
        values = weakref.ref(y.data)
        y = y * 2
    assert values() is None


# Threads


def in_threads(count, work):
    errors = []

    def run(i):
        try:
            work(i)
        except BaseException as error:  # an assertion in a thread must reach the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_threads_have_graphs_of_their_own():
    expected = {}

    def work(i):
        x, labels, parameters = network()
        x = x * (i + 1)
        y = F.conv2d(x, parameters[0], parameters[1]).relu().flatten(1)
        y.sum().backward()
        gradient = parameters[0].grad.numpy()
        np.testing.assert_array_equal(gradient, expected.setdefault(i % 4, gradient) if i % 4 == i else gradient)

    in_threads(8, work)


def test_threads_add_to_a_shared_leaf_without_loss():
    w = tensor(np.zeros(1000), requires_grad=True)
    barrier = threading.Barrier(4)

    def work(i):
        barrier.wait()
        for _ in range(100):
            (w * 1.0).sum().backward()

    in_threads(4, work)
    np.testing.assert_array_equal(w.grad.numpy(), np.full(1000, 400.0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_while_another_thread_adds_to_a_leaf():
    x = tensor([3.0], requires_grad=True)
    with engine._accumulating:
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # ends a child that waits for ever
            try:
                (x * x).backward()
                os._exit(x.grad.item() != 6)
            finally:
                os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_no_grad_is_of_one_thread():
    inside, done = threading.Event(), threading.Event()
    seen = []

    def work(i):
        if i == 0:
            with minidl.no_grad():
                inside.set()
                done.wait(120)
                seen.append(minidl.is_grad_enabled())
        else:
            inside.wait(120)
            seen.append(minidl.is_grad_enabled())
            done.set()

    in_threads(2, work)
    assert seen == [True, False]
