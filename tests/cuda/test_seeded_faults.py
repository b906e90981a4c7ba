"""Faults planted one at a time in copies of the real kernels: would the tests notice?

For each fault, some line of a kernel or of its headers is changed in the text that is compiled; then the kernel runs on
the checked emulator, on odd shapes and on whole tiles, against its reference. The fault must be found: by the checker
("report"), or by a wrong result ("numbers"). The table is printed at the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from minidl.kernels import cuda
from tests.cuda.kernel_runs import (
    run_activations,
    run_activations_unaligned,
    run_async,
    run_async_across,
    run_channel_sums,
    run_conv2d,
    run_cross_entropy,
    run_depthwise,
    run_depthwise_dw,
    run_dropout,
    run_linear,
    run_many_tiles,
    run_memory_order,
    run_naive,
    run_normalization,
    run_normalization_of_rows,
    run_optimizers,
    run_pool2d,
    run_recurrent,
    run_registers,
    run_relu_pool,
    run_softmax,
    run_split,
    run_tf32,
    run_tf32_rounding,
    run_tiled,
)
from tests.cuda_emulator import EmulatedRuntime, EmulatorError

pytestmark = pytest.mark.cuda


class Fault(NamedTuple):
    what: str
    run: Callable[[], None]
    line: str  # a piece of the source,
    change: str  # and what is compiled in its place
    after: str = ""  # the piece is the first one after this one


class FaultyRuntime(EmulatedRuntime):
    """Plants a fault in every source that contains its line."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(check=True)
        self.fault, self.planted = fault, 0

    def compile(self, code, options=()):
        at = code.find(self.fault.line, max(0, code.find(self.fault.after)))
        if at >= 0 and self.fault.after in code:
            self.planted += 1
            code = code[:at] + self.fault.change + code[at + len(self.fault.line) :]
        return super().compile(code, options)


BARRIER = "__syncthreads();"
WAIT = "copy_async_wait<STAGES - 2>();"
# fmt: off
FAULTS = [
    Fault("naive: one row too many", run_naive, "i >= m || j >= n", "i > m || j >= n"),
    Fault("naive: one column too many", run_naive, "i >= m || j >= n", "i >= m || j > n"),
    Fault("naive: sum one too long", run_naive, "l < k; l++) sum", "l <= k; l++) sum"),
    Fault("tiled: no barrier after loading", run_tiled, BARRIER, "", after="b_tile[b_l][b_j] ="),
    Fault("tiled: no barrier before the next tile", run_tiled, BARRIER, "", after="sum += a_tile[y][l]"),
    Fault("tiled: barrier in a branch", run_tiled, BARRIER, f"if (i < m) {BARRIER}", after="b_tile[b_l][b_j] ="),
    Fault("tiled: one row of a too many", run_tiled, "i < m && la < k", "i <= m && la < k"),
    Fault("tiled: one column of a too many", run_tiled, "i < m && la < k", "i < m && la <= k"),
    Fault("tiled: one row of b too many", run_tiled, "j < n && lb < k", "j < n && lb <= k"),
    Fault("tiled: stores one row too many", run_tiled, "if (i < m && j < n) c[", "if (i <= m && j < n) c["),
    Fault("tiled: no last part of the sum", run_tiled, "first_l < k; first_l += T", "first_l + 8 < k; first_l += T"),
    Fault("registers: no barrier after loading", run_registers, BARRIER, "", after="fetch_tile(b_tile, b"),
    Fault("registers: no barrier before the next tile", run_registers, BARRIER, "", after="own_j + v * VECTOR]"),
    Fault("registers: tile not aligned", run_registers, "__align__(16) scalar a_tile[DEPTH]", "scalar a_tile[DEPTH]"),
    Fault("registers: vectors that overlap", run_registers, "own_j + v * VECTOR]", "own_j + v]"),
    Fault("registers: one number too many", run_registers, "first_l + l < k;", "first_l + l <= k;"),
    Fault("registers: neighbour's rows", run_registers, "own_i + v * VECTOR]", "own_i + v * VECTOR + 4]"),
    Fault("async: waits for one slice less", run_async, "copy_async_wait<STAGES - 2>", "copy_async_wait<STAGES - 1>"),
    Fault("async: does not wait", run_async, WAIT, ""),
    Fault("async: no barrier", run_async, BARRIER, "", after=WAIT),
    Fault("async: barrier before the wait", run_async, f"{WAIT}\n    {BARRIER}", f"{BARRIER}\n    {WAIT}"),
    Fault("async: groups not closed", run_async, "copy_async_commit();", "", after="const int ahead"),
    Fault("async: one slice too many", run_async, "if (ahead < slices)", "if (ahead <= slices)"),
    Fault("async: no last slice", run_async, "+ BLOCK_K - 1) / BLOCK_K", ") / BLOCK_K"),
    Fault("async: slice into the wrong place", run_async, "copy_b.issue(ahead % STAGES", "copy_b.issue(s % STAGES"),
    Fault("async: copies garbage for zeros", run_async, "operand.inside(row, column));", "true);"),
    Fault("async: slices not whole vectors", run_async, "int PAD = VECTOR", "int PAD = 1"),
    Fault("async: one row too many", run_async_across, "i < rows ? i : 0", "i <= rows ? i : 0"),
    Fault("async: one number too many", run_async, "l < k};", "l <= k};"),
    Fault("async: vectors of any address", run_async_across, "is_aligned(base) && stride", "stride"),
    Fault("async: vectors of odd rows", run_async_across, "stride % VECTOR == 0 && rows % VECTOR == 0", "true"),
    Fault("async: vectors over each other", run_async_across, "across * VECTOR : across", "across : across"),
    Fault("async: vectors leave out rows", run_async_across, "= THREADS * WIDTH / B", "= 2 * THREADS * WIDTH / B"),
    Fault("async: more vectors than a slice has", run_async_across, "L_STEP <= BLOCK_K || l < BLOCK_K", "true"),
    Fault("async: a strip too high", run_many_tiles, "min((int)gridDim.x - first, ROWS_OF_TILES)", "ROWS_OF_TILES"),
    Fault("async: stores one row too many", run_async, "if (m >= m_end) continue;", "if (m > m_end) continue;"),
    Fault("async: stores one column too many", run_async, "if (n + c < n_end) to[c]", "if (n + c <= n_end) to[c]"),
    Fault("async: vector store in odd rows", run_async, "is_aligned(c) && row_stride % VECTOR == 0", "is_aligned(c)"),
    Fault("async: wrong lane", run_async, "lane / 2 % LANES_N * VECTOR", "lane % LANES_N * VECTOR"),
    Fault("tf32: no barrier before the first slice", run_tf32, BARRIER, "", after="next_b.store(b_slices[0]);"),
    Fault("tf32: no barrier between slices", run_tf32, BARRIER, "", after="next_b.store(b_slices[stage ^ 1]);"),
    Fault("tf32: one place for both slices", run_tf32, "b.store(b_slices[stage ^ 1]", "b.store(b_slices[stage]"),
    Fault("tf32: a first slice too long", run_tf32, "next_a.fetch(shorter)", "next_a.fetch()"),
    Fault("tf32: no last slice", run_tf32, "if (!left) break;", "if (left <= BLOCK_K) break;"),
    Fault("tf32: one row too many", run_tf32, "i) < operand.rows;", "i) <= operand.rows;"),
    Fault("tf32: one value of l too many", run_tf32, "(along_l ? c : i) < count", "(along_l ? c : i) <= count"),
    Fault("tf32: vectors of any address", run_tf32, "is_aligned(base) && stride", "stride"),
    Fault("tf32: vectors of odd lines", run_tf32, "stride % VECTOR == 0 && (a", "(a"),
    Fault("tf32: square not turned", run_tf32, "numbers[i][c] : numbers[c][i]", "numbers[i][c] : numbers[i][c]"),
    Fault("tf32: halves of a piece exchanged", run_tf32, "lane % 16, lane / 16 * 4", "lane / 2 % 16, lane % 2 * 4"),
    Fault("tf32: the same 8 values of l twice", run_tf32, "lines.b ^ step", "lines.b"),
    Fault("tf32: places trade in one slice alone", run_tf32, "i * ROWS_APART * BLOCK_K : place(row + i, l)",
          "i * ROWS_APART * BLOCK_K : (row + i) * BLOCK_K + l"),
    Fault("tf32: stores one row too many", run_tf32, "if (m < m_end) store(", "if (m <= m_end) store("),
    Fault("tf32: vector store in odd rows", run_tf32, "is_aligned(c) && n_end % VECTOR == 0", "is_aligned(c)"),
    Fault("tf32: not rounded", run_tf32_rounding, "= to_tf32(", "= __float_as_uint("),
    Fault("split: all splits write one result", run_split, "(size_t)split * batches + batch", "(size_t)batch"),
    Fault("split: sums one element too many", run_split, "|| e >= elements) return;", "|| e > elements) return;"),
    Fault("linear: one bias too many", run_linear, "bias && n < n_end", "bias && n <= n_end"),
    Fault("linear: the bias of another column", run_linear, "first_n + thread_n() + j / V", "first_n + j / V"),
    Fault("linear: no ReLU", run_linear, "relu && z <= 0", "relu && z < -1e9"),
    Fault("linear: ReLU of NaN is 0", run_linear, "relu && z <= 0", "relu && !(z > 0)"),
    Fault("linear: bias by rows in the second pass", run_linear, "(int)(e % n), n)", "(int)(e / n), n)"),
    Fault("linear: no ReLU in the second pass", run_linear, "{bias, relu != 0};", "{bias, false};"),
    Fault("split: leaves out a split", run_split, "part < part_count;", "part + 1 < part_count;"),
    Fault("split: all thread rows add all parts", run_split, "part = threadIdx.y; part <", "part = 0; part <"),
    Fault("split: no barrier", run_split, BARRIER, "", after="[threadIdx.x] = value;"),
    Fault("conv2d: vector store between groups", run_conv2d, "is_aligned(c) && row_stride", "row_stride"),
    Fault("conv2d: vector store over the end of a group", run_conv2d, "n + COUNT <= n_end", "n < n_end"),
    Fault("conv2d: one pixel too many", run_conv2d, "pixel >= pixels", "pixel > pixels"),
    Fault("conv2d: one pixel beside the image", run_conv2d, "x < (unsigned)width", "x <= (unsigned)width"),
    Fault("conv2d: reads between strides", run_conv2d, " && !by_stride_x.remainder(x, j)", ""),
    Fault("conv2d: forgets dilation", run_conv2d, "return {r * dilation_y,", "return {r,"),
    Fault("conv2d: wrong group of weights", run_conv2d, "w + (size_t)group * out_channels * taps.count", "w"),
    Fault("conv2d: backwards to the right", run_conv2d, "-dilation_y, -dilation_x", "-dilation_y, dilation_x"),
    Fault("conv2d: vectors over several taps", run_conv2d, " && patches.taps.channels % VECTOR == 0", ""),
    Fault("conv2d: rows divided as columns", run_conv2d, "by_height(height, by_height)", "by_height(height, by_width)"),
    Fault("conv2d: packs one weight too many", run_conv2d, "if (e >= groups * taps", "if (e > groups * taps"),
    Fault("conv2d: packs rows as columns", run_conv2d, "? row : column,", "? column : row,"),
    Fault("conv2d: one weight too many", run_conv2d, "|| e >= elements) return;", "|| e > elements) return;"),
    Fault("depthwise: one number too many", run_depthwise, "if (e >= elements) return;", "if (e > elements) return;"),
    Fault("depthwise: one row beside the image", run_depthwise, "row >= height", "row > height"),
    Fault("depthwise: reads between strides", run_depthwise, "shifted == out * stride && ", ""),
    Fault("depthwise: one column too many", run_depthwise, "column >= width", "column > width"),
    Fault("depthwise: one output of a group", run_depthwise, "o < (g + 1) * multiplier", "o < g * multiplier + 1"),
    Fault("depthwise: one pixel of a piece too many", run_depthwise_dw, "piece_width, out_width)",
          "piece_width + 1, out_width)"),
    Fault("depthwise: a piece beside its row", run_depthwise_dw, "min(first_j + piece_width, out_width)",
          "first_j + piece_width"),
    Fault("depthwise: one piece too many", run_depthwise_dw, "piece < end; piece", "piece <= end; piece"),
    Fault("depthwise: a last stretch too long", run_depthwise_dw, "min(pieces, first + pieces_per_part)",
          "first + pieces_per_part"),
    Fault("depthwise: weights beside the image", run_depthwise_dw, "column >= 0 && column < width", "column < width"),
    Fault("depthwise: a tap beside the kernel", run_depthwise_dw, " || first_s + s >= kernel_width", ""),
    Fault("depthwise: channels that are not there", run_depthwise_dw, "if (o < out_channels)\n", ""),
    Fault("depthwise: no barrier", run_depthwise_dw, BARRIER, "", after="[threadIdx.x] = value;"),
    Fault("depthwise: no barrier before the next sum", run_depthwise_dw, BARRIER, "", after="(T value, T (*shared)"),
    Fault("depthwise: every thread row writes", run_depthwise_dw, "threadIdx.y > 0 || o >= out", "o >= out"),
    Fault("depthwise: leaves out a stretch", run_depthwise_dw, "part < part_count;", "part + 1 < part_count;"),
    Fault("depthwise: one weight too many", run_depthwise_dw, "threadIdx.y == 0 && e < elements", "threadIdx.y == 0"),
    Fault("depthwise: weights in the order of parts", run_depthwise_dw, "(e % out_channels) * taps + e / out_channels",
          "e"),
    Fault("channel_sums: no barrier, columns", run_channel_sums, BARRIER, "", after="[threadIdx.x] = value;"),
    Fault("channel_sums: no barrier, planes", run_channel_sums, BARRIER, "", after="if (lane == 0) sums[warp]"),
    Fault("channel_sums: one warp too many", run_channel_sums, "lane < BLOCK / WARP ?", "lane <= BLOCK / WARP ?"),
    Fault("channel_sums: every row writes", run_channel_sums, "threadIdx.y == 0 && channel", "channel"),
    Fault("channel_sums: every thread row adds all parts", run_channel_sums, "part += blockDim.y", "part++"),
    Fault("channel_sums: channels that are not there", run_channel_sums, "if (channel < channels) {", "{"),
    Fault("channel_sums: half a mask", run_channel_sums, "ALL_LANES = 0xffffffffu", "ALL_LANES = 0x0000ffffu"),
    Fault("channel_sums: a part in the place of the sum", run_channel_sums, "if (parts) parts[", "if (!s) parts["),
    Fault("channel_sums: one row too many", run_channel_sums, "row < end; row +=", "row <= end; row +="),
    Fault("channel_sums: one number too many", run_channel_sums, "i < end; i +=", "i <= end; i +="),
    Fault("pool2d: one row too many", run_pool2d, "p >= height) continue;", "p > height) continue;"),
    Fault("pool2d: one window too many", run_pool2d, "i >= out_height) continue;", "i > out_height) continue;"),
    Fault("pool2d: one element too many", run_pool2d, "if (e >= elements) return;", "if (e > elements) return;"),
    Fault("pool2d: the last of equal values", run_pool2d, "value > best", "value >= best"),
    Fault("pool2d: counts the padding", run_pool2d, "max(first, 0)", "first"),
    Fault("softmax: no barrier", run_softmax, BARRIER, "", after="shared[threadIdx.x / WARP] = value;"),
    Fault("softmax: one array for both results", run_softmax, "(sum, sums, Sum())", "(sum, maxima, Sum())"),
    Fault("softmax: one number too many", run_softmax, "c < columns; c", "c <= columns; c"),
    Fault("softmax: half a warp", run_softmax, "int bit = WARP / 2;", "int bit = WARP / 4;", after="over_row("),
    Fault("softmax: barrier for some threads", run_softmax, BARRIER, f"if (threadIdx.x < 99) {BARRIER}", "shared[thr"),
    Fault("softmax: a lane stays away", run_softmax, "value = combine(", "if (threadIdx.x != 5) value = combine("),
    Fault("cross_entropy: no barrier", run_cross_entropy, BARRIER, "", after="shared[threadIdx.x / WARP] = value;"),
    Fault("cross_entropy: one array for both results", run_cross_entropy, "(sum, sums, Sum())", "(sum, maxima, Sum())"),
    Fault("cross_entropy: one class too many", run_cross_entropy, "c < columns; c", "c <= columns; c"),
    Fault("cross_entropy: forgets the weight", run_cross_entropy, "weight ? weight[t] :", "0 ? weight[t] :"),
    Fault("cross_entropy: one number for many", run_cross_entropy, "row * dlosses_stride", "row"),
    Fault("cross_entropy: does not ignore", run_cross_entropy, "dx[c] = kept ?", "dx[c] = known ?"),
    Fault("cross_entropy: every thread writes", run_cross_entropy, "if (threadIdx.x != 0) return;", ""),
    Fault("activations: one vector too many", run_activations, "first + VECTOR <= n", "first < n"),
    Fault("activations: one number too many", run_activations, "e < n && e < first", "e <= n && e < first"),
    Fault("activations: vectors that overlap", run_activations, "threadIdx.x) * VECTOR", "threadIdx.x) * (VECTOR - 1)"),
    Fault("activations: no test of alignment", run_activations_unaligned, "&& is_aligned(x) && is_aligned(y)", ""),
    Fault("activations: the other branch", run_activations, "y <= 0 ? (scalar)0 : dy", "y < 0 ? dy : (scalar)0"),
    Fault("dropout: one number too many", run_dropout, "if (first + w < n) y", "if (first + w <= n) y"),
    Fault("dropout: one vector too many", run_dropout, "first + WORDS <= n &&", "first < n &&"),
    Fault("dropout: vectors of any address", run_dropout, "&& is_aligned(x) && is_aligned(y)", ""),
    Fault("relu_pool: one thread too many", run_relu_pool, "if (e >= elements) return;", "if (e > elements) return;"),
    Fault("relu_pool: no ReLU", run_relu_pool, "best <= 0 ? (scalar)0 : best", "best"),
    Fault("relu_pool: a tap where nothing passes", run_relu_pool, "(best <= 0 ? pool_height * pool_width : b", "(b"),
    Fault("relu_pool: gradient beside the windows", run_relu_pool, "i < out_height && j < out_width", "i < out_height"),
    Fault("relu_pool: the last of several", run_relu_pool, "value > best ||", "value >= 0 ||"),
    Fault("dropout: one thread too many", run_dropout, "if (e >= n) return;", "if (e > n) return;"),
    Fault("dropout: one round too few", run_dropout, "ROUNDS = 10", "ROUNDS = 9"),
    Fault("dropout: numbers in the order of memory", run_dropout, "image * channels + channel", "image * channels"),
    Fault("dropout: half of the key", run_dropout, "^ x3 ^ key_high", "^ x3"),
    Fault("normalization: no barrier between sums", run_normalization, BARRIER, "", after="(T value, T (*shared)"),
    Fault("normalization: no barrier", run_normalization, BARRIER, "", after="[threadIdx.x] = value;"),
    Fault("normalization: one channel too many", run_normalization, "if (channel < channels && own", "if (own"),
    Fault("normalization: one row too many", run_normalization, "row < end; row += T", "row <= end; row += T"),
    Fault("normalization: rows without their distance", run_normalization, "+ count * d * d", ""),
    Fault("normalization: joins without the distance", run_normalization, "+ n * d * d", ""),
    Fault("normalization: a last stretch too long", run_normalization, "min(rows_per_part, ", "max(rows_per_part, "),
    Fault("normalization: leaves out a stretch", run_normalization, "i < part_count;", "i + 1 < part_count;"),
    Fault("normalization: one number too many", run_normalization, "e < size; e += (l", "e <= size; e += (l"),
    Fault("normalization: steps of a block", run_normalization, "(long long)gridDim.x * BLOCK) step", "BLOCK) step"),
    Fault("normalization: all thread rows write", run_normalization, "if (threadIdx.y > 0 || channel", "if (channel"),
    Fault("normalization: a count too small", run_normalization, "(end - own + THREAD_ROWS - 1)", "(end - own)"),
    Fault("rows: half of the mean", run_normalization_of_rows, "x - high - low", "x - high"),
    Fault("rows: r of another row", run_normalization_of_rows, "* r[row]", "* r[first]"),
    Fault("rows: no barrier", run_normalization_of_rows, BARRIER, "", after="[threadIdx.x] = value;"),
    Fault("rows: one array for both results", run_normalization_of_rows, "(square, squares,", "(square, sums,"),
    Fault("rows: one number too many", run_normalization_of_rows, "k < columns; k", "k <= columns; k"),
    Fault("rows: forgets the scale", run_normalization_of_rows, "(w ? w[k] : (scalar)1), z", "(scalar)1, z"),
    Fault("rows: one row too many", run_normalization_of_rows, "row < end; row += T", "row <= end; row += T"),
    Fault("rows: the mean of another row", run_normalization_of_rows, "x[e] - m[row]", "x[e] - m[first]"),
    Fault("optimizers: one number too many", run_optimizers, "e < stop;", "e <= stop;"),
    Fault("optimizers: a share too long", run_optimizers, "min(row.size, begin + share)", "row.size"),
    Fault("optimizers: the first array only", run_optimizers, "rows[own];", "rows[0];"),
    Fault("optimizers: an array one block late", run_optimizers, "first_block <= blockIdx", "first_block < blockIdx"),
    Fault("optimizers: another order in the table", run_optimizers, "size, first_block;", "first_block, size;"),
    Fault("optimizers: no correction of the mean", run_optimizers, "sqrt(v) / root", "sqrt(v)"),
    Fault("optimizers: the largest v not kept", run_optimizers, "state[2] = v;", ""),
    Fault("optimizers: the largest v not used", run_optimizers, "state[2] > v ?", "state[2] < v ?"),
    Fault("optimizers: velocity not kept", run_optimizers, "state[2] = u;", ""),
    Fault("optimizers: state not written", run_optimizers, "if (state_0) state_0[e] = state[0];", ""),
    Fault("optimizers: state of another kind", run_optimizers, "state[1] = state_1[e];", "state[1] = state_0[e];"),
    Fault("recurrent: one number too many", run_recurrent, "return e < elements;", "return e <= elements;"),
    Fault("recurrent: units counted over all", run_recurrent, "j = e - n * hidden;", "j = e;"),
    Fault("recurrent: one bias twice", run_recurrent, "or_zero(b_hh, j)", "or_zero(b_ih, j)"),
    Fault("recurrent: gates f and g exchanged", run_recurrent, "da[row + hidden] = d_", "da[row + 2 * hidden] = d_"),
    Fault("recurrent: cell of this step for the last", run_recurrent, "d_cell * c_before[e] * f", "d_cell * c[e] * f"),
    Fault("recurrent: no direct way back", run_recurrent, "direct_before[e] = d * z;", "direct_before[e] = 0;"),
    Fault("recurrent: reset gate after the gradient", run_recurrent, "= da_n * r;", "= da_n;"),
    Fault("memory_order: no barrier", run_memory_order, BARRIER, ""),
    Fault("memory_order: one row too many", run_memory_order, "row < rows && column", "row <= rows && column"),
    Fault("memory_order: not turned", run_memory_order, "tile[threadIdx.x][i];", "tile[i][threadIdx.x];"),
]
# fmt: on


@pytest.mark.parametrize("order", ["forward", "reverse", "shuffled"])
@pytest.mark.parametrize("run", sorted({fault.run for fault in FAULTS}, key=lambda run: run.__name__))
def test_without_a_fault_everything_passes(run, order):
    with cuda.use_runtime(EmulatedRuntime(order=order)):
        run()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_fault_is_found(fault, record_property):
    runtime = FaultyRuntime(fault)
    found = "missed"
    with cuda.use_runtime(runtime):
        try:
            fault.run()
        except EmulatorError as error:
            assert "g++ refused" not in str(error)
            found = f"report   {error}"
        except AssertionError:
            found = "numbers"
    assert runtime.planted, "the line is not in the source: the table is out of date"
    record_property("fault", fault.what)
    record_property("found", found)
    assert found != "missed"
