# The vector loops as other extensions call them: a table of functions, one table for each instruction set. The formulas
# stand in vector_loops_*.pxi. Numbers have `itemsize` bytes, 4 (float) or 8 (double); arrays and rows are contiguous.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum activation:
    RELU
    LEAKY_RELU
    ELU
    TANH
    SIGMOID
    SILU
    GELU
    GELU_TANH
    HARDSIGMOID
    HARDSWISH
    CLIP
    HUBER
    ERF
    SOFTPLUS
    EXP
    EXPM1

cdef enum arithmetic:
    ADD
    SUBTRACT
    MULTIPLY
    DIVIDE

# The numbers in an optimizer's formula; adam and adagrad compute `scale` and `root_scale` from the step number t.
ctypedef struct step_options:
    double lr, weight_decay, eps
    double momentum, dampening  # sgd, rmsprop
    double beta1, beta2  # adam
    double alpha  # rmsprop
    double lr_decay  # adagrad
    bint nesterov, decoupled
    double scale, root_scale

ctypedef struct loop_table:
    # y = f(x)
    void (*activation_forward)(activation f, size_t itemsize, long n, const void* x, void* y, double parameter,
                               double second_parameter) noexcept nogil
    # dx = dy * df/dx, where `saved` is y for RELU, TANH and SIGMOID, and x for the others
    void (*activation_backward)(activation f, size_t itemsize, long n, const void* dy, const void* saved, void* dx,
                                double parameter, double second_parameter) noexcept nogil

    # y = x1 + x2, or - * /; y may be x1
    void (*arithmetic)(arithmetic f, size_t itemsize, long n, const void* x1, const void* x2, void* y) noexcept nogil

    # y = softmax(x) of each row, or its logarithm
    void (*softmax_forward)(size_t itemsize, long rows, long columns, const void* x, void* y,
                            bint logarithm) noexcept nogil
    void (*softmax_backward)(size_t itemsize, long rows, long columns, const void* dy, const void* y, void* dx,
                             bint logarithm) noexcept nogil
    # losses = -weight[label] * log(softmax(x))[label] of each row; targets are in range, `weight` may be NULL
    void (*cross_entropy_forward)(size_t itemsize, long rows, long columns, const void* x, const int64_t* target,
                                  const void* weight, int64_t ignore_index, void* losses) noexcept nogil
    void (*cross_entropy_backward)(size_t itemsize, long rows, long columns, const void* dlosses, const void* x,
                                   const int64_t* target, const void* weight, int64_t ignore_index,
                                   void* dx) noexcept nogil

    # the same four, where class c of sample k is x[c * step + k]
    void (*softmax_across)(size_t itemsize, long classes, long step, long samples, const void* x, void* y,
                           bint logarithm) noexcept nogil
    void (*softmax_backward_across)(size_t itemsize, long classes, long step, long samples, const void* dy,
                                    const void* y, void* dx, bint logarithm) noexcept nogil
    void (*cross_entropy_across)(size_t itemsize, long classes, long step, long samples, const void* x,
                                 const int64_t* target, const void* weight, int64_t ignore_index,
                                 void* losses) noexcept nogil
    void (*cross_entropy_backward_across)(size_t itemsize, long classes, long step, long samples, const void* dlosses,
                                          const void* x, const int64_t* target, const void* weight,
                                          int64_t ignore_index, void* dx) noexcept nogil

    # sums[j] += sum over rows of x (* y, unless that is NULL)
    void (*column_sums)(size_t itemsize, long rows, long columns, const void* x, const void* y,
                        double* sums) noexcept nogil
    # sums[j] += sum over rows of dy where taps < none
    void (*tap_sums)(size_t itemsize, long rows, long columns, const uint8_t* taps, int none, const void* dy,
                     double* sums) noexcept nogil
    # sums[j] += sum over rows of (x - center[j])^2
    void (*centered_squares)(size_t itemsize, long rows, long columns, const void* x, const double* center,
                             double* sums) noexcept nogil
    # sums[j] += sum over rows of dy, products[j] += sum over rows of dy * (x - center[j])
    void (*centered_products)(size_t itemsize, long rows, long columns, const void* dy, const void* x,
                              const double* center, double* sums, double* products) noexcept nogil
    # y = (x - center[j]) * scale[j] + shift[j]
    void (*scaled_columns)(size_t itemsize, long rows, long columns, const void* x, const void* center,
                           const void* scale, const void* shift, void* y) noexcept nogil
    # y = (x - center) * scale + shift for n numbers, with one center, scale and shift
    void (*scaled_run)(size_t itemsize, long n, const void* x, const void* center, const void* scale,
                       const void* shift, void* y) noexcept nogil
    # dx = scale[j] * dy - shift[j] - (x - center[j]) * slope[j]
    void (*scaled_columns_backward)(size_t itemsize, long rows, long columns, const void* dy, const void* x,
                                    const void* center, const void* scale, const void* shift, const void* slope,
                                    void* dx) noexcept nogil

    # m and v, mean and variance of each row, and y = (x - m) / sqrt(v + eps) * w[j] + b[j]; w and b may be NULL
    void (*normalize_rows)(size_t itemsize, long rows, long columns, const void* x, const void* w, const void* b,
                           double eps, void* y, void* m, void* v) noexcept nogil
    # its dx; the rows' contributions to the gradients of w and b are added to dw and db
    void (*normalize_rows_backward)(size_t itemsize, long rows, long columns, const void* dy, const void* x,
                                    const void* m, const void* v, const void* w, double eps, void* dx, double* dw,
                                    double* db) noexcept nogil

    # y = x * scale where number first + i of the generator is at least `threshold`, else 0; `first` is a multiple of 4
    void (*dropout_forward)(size_t itemsize, long n, uint64_t first, uint64_t key, uint32_t threshold, double scale,
                            const void* x, void* y) noexcept nogil

    # the gates of a recurrent layer and their gradients: vector_loops_gates.pxi
    void (*rnn_forward)(size_t itemsize, long n, bint relu, const void* a, void* h) noexcept nogil
    void (*rnn_backward)(size_t itemsize, long n, bint relu, const void* y, const void* dy, const void* dh,
                         void* da) noexcept nogil
    void (*lstm_forward)(size_t itemsize, long n, const void* a, void* gates, void* c, void* h) noexcept nogil
    void (*lstm_backward)(size_t itemsize, long n, const void* gates, const void* c_before, const void* c,
                          const void* dy, const void* dh, void* dc, void* da) noexcept nogil
    void (*gru_forward)(size_t itemsize, long n, const void* a, void* gates, void* h) noexcept nogil
    void (*gru_backward)(size_t itemsize, long n, const void* gates, const void* h, const void* dy, void* dh, void* da,
                         void* dq) noexcept nogil

    # one step of an optimizer; a NULL pointer leaves that array out of the formula
    void (*sgd_step)(size_t itemsize, long n, const step_options* options, void* w, const void* dw,
                     void* v) noexcept nogil
    void (*adam_step)(size_t itemsize, long n, const step_options* options, void* w, const void* dw, void* m,
                      void* v, void* h) noexcept nogil
    void (*rmsprop_step)(size_t itemsize, long n, const step_options* options, void* w, const void* dw, void* v,
                         void* g, void* b) noexcept nogil
    void (*adagrad_step)(size_t itemsize, long n, const step_options* options, void* w, const void* dw,
                         void* s) noexcept nogil
