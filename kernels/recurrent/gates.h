/* What one step does to one sequence between two matrix products: the functions in gate_rows.h, in a table for each
 * instruction set and number type. Their arguments are rows of `hidden` numbers, or of several times as many. */
#ifndef MINIDL_GATES_H
#define MINIDL_GATES_H

typedef struct {
    void (*rnn_forward)(long hidden, int relu, void *y);
    void (*rnn_backward)(long hidden, int relu, const void *y, const void *dy, const void *dh, void *da);
    void (*lstm_forward)(long hidden, void *gates, const void *c_before, void *c, void *y);
    void (*lstm_backward)(long hidden, const void *gates, const void *c_before, const void *c, const void *dy,
                          const void *dh, void *dc, void *da);
    void (*gru_forward)(long hidden, void *gates, const void *h, void *y);
    void (*gru_backward)(long hidden, const void *gates, const void *h, const void *dy, void *dh, void *da, void *dq);
} gate_table;

#define TABLE gate_table
#define LOOPS "gate_rows.h"
#include "loops.h"

#endif
