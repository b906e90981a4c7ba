# All vector loops, and the table that lists them; included once for each instruction set, by vector_loops_*.pyx.

from cpython.pycapsule cimport PyCapsule_New

from .vector_loop_table cimport *

include "vector_loops_exponential.pxi"
include "vector_loops_error_function.pxi"
include "vector_loops_activations.pxi"
include "vector_loops_arithmetic.pxi"
include "vector_loops_rows.pxi"
include "vector_loops_row_norm.pxi"
include "vector_loops_columns.pxi"
include "vector_loops_scores.pxi"
include "vector_loops_random.pxi"
include "vector_loops_gates.pxi"
include "vector_loops_steps.pxi"

cdef loop_table _table
_table.activation_forward = activation_forward
_table.activation_backward = activation_backward
_table.arithmetic = arithmetic_of_two
_table.softmax_forward = softmax_forward
_table.softmax_backward = softmax_backward
_table.cross_entropy_forward = cross_entropy_forward
_table.cross_entropy_backward = cross_entropy_backward
_table.softmax_across = softmax_across
_table.softmax_backward_across = softmax_backward_across
_table.cross_entropy_across = cross_entropy_across
_table.cross_entropy_backward_across = cross_entropy_backward_across
_table.column_sums = column_sums
_table.tap_sums = tap_sums
_table.centered_squares = centered_squares
_table.centered_products = centered_products
_table.scaled_columns = scaled_columns
_table.scaled_run = scaled_run
_table.scaled_columns_backward = scaled_columns_backward
_table.normalize_rows = normalize_rows
_table.normalize_rows_backward = normalize_rows_backward
_table.dropout_forward = dropout_forward
_table.rnn_forward = rnn_forward
_table.rnn_backward = rnn_backward
_table.lstm_forward = lstm_forward
_table.lstm_backward = lstm_backward
_table.gru_forward = gru_forward
_table.gru_backward = gru_backward
_table.sgd_step = sgd_step
_table.adam_step = adam_step
_table.rmsprop_step = rmsprop_step
_table.adagrad_step = adagrad_step

TABLE = PyCapsule_New(&_table, NULL, NULL)
