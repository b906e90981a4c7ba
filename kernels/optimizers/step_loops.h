/* The formulas of __init__.py, number by number. Each is one pass: what is read and written once need not stay in a
 * cache. Loops without a branch (an option is the same for all numbers, so the compiler makes a loop of each case). */

#define SQRT(x) (IS_DOUBLE ? (REAL)sqrt(x) : (REAL)sqrtf((float)(x)))

static TARGET void NAME(sgd)(long count, const step_options *o, void *w_, const void *dw_, void *v_) {
    REAL *restrict w = w_, *restrict v = v_;
    const REAL *restrict dw = dw_;
    const REAL lr = o->lr, decay = o->weight_decay, momentum = o->momentum, fresh = 1 - o->dampening;
    if (!v)
        INDEPENDENT for (long j = 0; j < count; j++) w[j] -= lr * (dw[j] + decay * w[j]);
    else if (o->nesterov)
        INDEPENDENT for (long j = 0; j < count; j++) {
            const REAL d = dw[j] + decay * w[j];
            v[j] = momentum * v[j] + fresh * d;
            w[j] -= lr * (d + momentum * v[j]);
        }
    else
        INDEPENDENT for (long j = 0; j < count; j++) {
            v[j] = momentum * v[j] + fresh * (dw[j] + decay * w[j]);
            w[j] -= lr * v[j];
        }
}

/* scale = lr / (1 - beta1^t), shrink = sqrt(1 - beta2^t) */
static TARGET void NAME(adam)(long count, const step_options *o, void *w_, const void *dw_, void *m_, void *v_) {
    REAL *restrict w = w_, *restrict m = m_, *restrict v = v_;
    const REAL *restrict dw = dw_;
    const REAL beta1 = o->beta1, fresh1 = 1 - o->beta1, beta2 = o->beta2, fresh2 = 1 - o->beta2, eps = o->eps;
    const REAL keep = o->decoupled ? 1 - o->lr * o->weight_decay : 1, decay = o->decoupled ? 0 : o->weight_decay;
    const REAL scale = o->scale, shrink = o->shrink;
    INDEPENDENT for (long j = 0; j < count; j++) {
        const REAL d = dw[j] + decay * w[j];
        m[j] = beta1 * m[j] + fresh1 * d;
        v[j] = beta2 * v[j] + fresh2 * d * d;
        w[j] = keep * w[j] - scale * m[j] / (SQRT(v[j]) / shrink + eps);
    }
}

static TARGET void NAME(rmsprop)(long count, const step_options *o, void *w_, const void *dw_, void *v_, void *g_,
                                 void *b_) {
    REAL *restrict w = w_, *restrict v = v_, *restrict g = g_, *restrict b = b_;
    const REAL *restrict dw = dw_;
    const REAL lr = o->lr, decay = o->weight_decay, alpha = o->beta2, fresh = 1 - o->beta2, eps = o->eps;
    const REAL momentum = o->momentum;
    INDEPENDENT for (long j = 0; j < count; j++) {
        const REAL d = dw[j] + decay * w[j];
        v[j] = alpha * v[j] + fresh * d * d;
        REAL spread = v[j];
        if (g) {
            g[j] = alpha * g[j] + fresh * d;
            spread -= g[j] * g[j];
        }
        REAL u = d / (SQRT(spread) + eps);
        if (b) u = b[j] = momentum * b[j] + u;
        w[j] -= lr * u;
    }
}

/* scale = lr / (1 + (t - 1) * lr_decay) */
static TARGET void NAME(adagrad)(long count, const step_options *o, void *w_, const void *dw_, void *s_) {
    REAL *restrict w = w_, *restrict s = s_;
    const REAL *restrict dw = dw_;
    const REAL decay = o->weight_decay, eps = o->eps, scale = o->scale;
    INDEPENDENT for (long j = 0; j < count; j++) {
        const REAL d = dw[j] + decay * w[j];
        s[j] += d * d;
        w[j] -= scale * d / (SQRT(s[j]) + eps);
    }
}

static const step_table NAME(table) = {NAME(sgd), NAME(adam), NAME(rmsprop), NAME(adagrad)};

#undef SQRT
