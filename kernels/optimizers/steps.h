/* One step of each optimizer for one parameter, or a part of it: the functions in step_loops.h, in a table for each
 * instruction set and number type. Every argument that is no option is an array of `count` numbers. */
#ifndef MINIDL_STEPS_H
#define MINIDL_STEPS_H

/* What the formulas have besides arrays; `scale` and `shrink` are what adam and adagrad make of the step t. */
typedef struct {
    double lr, weight_decay, eps;
    double momentum, dampening; /* sgd, rmsprop */
    double beta1, beta2;        /* adam; beta2 is the alpha of rmsprop */
    int nesterov, decoupled;
    double scale, shrink;
} step_options;

typedef struct {
    void (*sgd)(long count, const step_options *options, void *w, const void *dw, void *v);
    void (*adam)(long count, const step_options *options, void *w, const void *dw, void *m, void *v);
    void (*rmsprop)(long count, const step_options *options, void *w, const void *dw, void *v, void *g, void *b);
    void (*adagrad)(long count, const step_options *options, void *w, const void *dw, void *s);
} step_table;

#define TABLE step_table
#define LOOPS "step_loops.h"
#include "loops.h"

#endif
