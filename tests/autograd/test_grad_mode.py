"""Recording switched off and on: no_grad, enable_grad, set_grad_enabled, detach."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import minidl
from tests.autograd.leaves import leaf


def test_no_grad_and_enable_grad_nest():
    x = leaf([1.0])
    with minidl.no_grad():
        assert not minidl.is_grad_enabled() and not (x * 2).requires_grad
        with minidl.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_no_grad_ends_with_an_error_and_decorates_functions():
    x = leaf([1.0])
    with pytest.raises(ZeroDivisionError), minidl.no_grad():
        raise ZeroDivisionError
    assert minidl.is_grad_enabled()

    @minidl.no_grad()
    def double(x, depth=2):
        return double(x, depth - 1) if depth else x * 2

    assert not double(x).requires_grad
    assert minidl.is_grad_enabled()


def test_a_decorated_function_called_in_two_threads_keeps_their_modes_apart():
    entered, may_leave, seen = threading.Event(), threading.Event(), []

    @minidl.no_grad()
    def inside(action):
        action()

    def first():
        inside(lambda: (entered.set(), may_leave.wait(timeout=600)))
        seen.append(minidl.is_grad_enabled())

    def let_the_first_leave():
        may_leave.set()
        thread.join()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(timeout=600)
    with minidl.no_grad():
        inside(let_the_first_leave)
        seen.append(minidl.is_grad_enabled())
    assert seen == [True, False]
    assert minidl.is_grad_enabled()


def test_one_block_entered_in_two_threads_keeps_their_modes_apart():
    block, seen = minidl.no_grad(), []

    def first():
        with block:
            entered.set()
            may_leave.wait(timeout=600)
        seen.append(minidl.is_grad_enabled())

    entered, may_leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(timeout=600)
    with minidl.no_grad():
        with block:
            may_leave.set()
            thread.join()
        seen.append(minidl.is_grad_enabled())
    assert seen == [True, False]
    assert minidl.is_grad_enabled()


def test_generators_with_blocks_that_end_in_any_order_leave_the_mode_as_it_was():
    def values():
        with minidl.no_grad():
            yield

    first, second = values(), values()
    for generator in (first, second, first, second):
        next(generator, None)
    assert minidl.is_grad_enabled()


def test_a_generator_that_another_thread_began_can_be_closed():
    def values():
        with minidl.no_grad():
            yield

    generator = values()
    thread = threading.Thread(target=next, args=[generator])
    thread.start()
    thread.join()
    generator.close()
    assert minidl.is_grad_enabled()


def test_debug_ends_with_a_decorated_function_that_calls_itself():
    @minidl.debug()
    def countdown(n):
        assert minidl.debug.active
        return countdown(n - 1) if n else None

    countdown(2)
    assert not minidl.debug.active


def test_debug_ends_with_the_last_of_blocks_that_end_in_any_order():
    first, second = minidl.debug(), minidl.debug()  # as two threads have them
    for block in (first, first, second):
        block.__enter__()
    for block in (first, second, first):
        assert minidl.debug.active
        block.__exit__(None, None, None)
    assert not minidl.debug.active


def test_backward_works_under_no_grad():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    with minidl.no_grad():
        y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0])
    assert not x.grad.requires_grad


def test_detach_cuts_the_graph_and_shares_the_memory():
    x = leaf([1.0, 2.0])
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    (x * y).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert np.shares_memory(x.detach().data, x.data)


def test_set_grad_enabled_as_a_statement():
    try:
        minidl.set_grad_enabled(False)
        assert not minidl.is_grad_enabled()
        with minidl.set_grad_enabled(True):
            assert minidl.is_grad_enabled()
        assert not minidl.is_grad_enabled()
        minidl.no_grad()  # made, not entered
        minidl.set_grad_enabled(True)

        @minidl.set_grad_enabled(False)
        def evaluate():
            return minidl.is_grad_enabled()

        assert minidl.is_grad_enabled() and not evaluate() and minidl.is_grad_enabled()
        off = minidl.set_grad_enabled(False)
        minidl.set_grad_enabled(True)
        with off:
            assert not minidl.is_grad_enabled()
        assert minidl.is_grad_enabled()
        minidl.no_grad()
        assert minidl.is_grad_enabled()
    finally:
        minidl.set_grad_enabled(True)


def test_inference_mode_is_no_grad():
    w = minidl.tensor([1.0], requires_grad=True)

    @minidl.inference_mode()
    def decorated():
        return (w * 2).requires_grad

    @minidl.inference_mode
    def decorated_without_brackets():
        return (w * 2).requires_grad

    assert not decorated() and not decorated_without_brackets() and minidl.is_grad_enabled()
    with minidl.inference_mode():
        assert not (w * 2).requires_grad
        with minidl.inference_mode(False):
            assert (w * 2).requires_grad
    with minidl.inference_mode(mode=True):
        assert not minidl.is_grad_enabled()
