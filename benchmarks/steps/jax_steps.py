"""The training steps in JAX: plain functions of a list of parameters, one jit around the whole step."""

import os
import sys

threads = int(sys.argv[2])
os.environ["XLA_FLAGS"] = (
    f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import networks  # noqa: E402
import numpy as np  # noqa: E402
import worker  # noqa: E402
from jax import lax  # noqa: E402

RANDOM = np.random.default_rng(0)


def uniform(*shape, fan_in):
    return jnp.asarray(RANDOM.uniform(-1, 1, shape).astype(np.float32) / fan_in**0.5)


def conv(x, w, b, padding="VALID"):
    return lax.conv_general_dilated(x, w, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + b


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def cross_entropy(logits, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))


def optimizer(kind, lr, beta1=0.9):
    """(initial state, update) over trees of parameters."""

    def zeros(parameters):
        return jax.tree.map(jnp.zeros_like, parameters)

    def adam(parameters, gradients, state):
        t, m, v = state
        t = t + 1
        m = jax.tree.map(lambda m, dw: beta1 * m + (1 - beta1) * dw, m, gradients)
        v = jax.tree.map(lambda v, dw: 0.999 * v + 0.001 * dw * dw, v, gradients)
        parameters = jax.tree.map(
            lambda w, m, v: w - lr * (m / (1 - beta1**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), parameters, m, v
        )
        return parameters, (t, m, v)

    def momentum(parameters, gradients, v):
        v = jax.tree.map(lambda v, dw: 0.9 * v + dw, v, gradients)
        if kind == "nesterov":
            return jax.tree.map(lambda w, dw, v: w - lr * (dw + 0.9 * v), parameters, gradients, v), v
        return jax.tree.map(lambda w, v: w - lr * v, parameters, v), v

    if kind == "adam":
        return lambda parameters: (jnp.zeros(()), zeros(parameters), zeros(parameters)), adam
    return zeros, momentum


def classifier_step(loss_of, parameters, kind, x, y):
    initial, update = optimizer(kind, networks.LEARNING_RATES[kind])
    state = [parameters, initial(parameters)]

    def both(parameters, remembered, x, y):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        return loss, *update(parameters, gradients, remembered)

    compiled = jax.jit(both, donate_argnums=(0, 1))

    def step():
        loss, *state[:] = compiled(*state, x, y)
        jax.block_until_ready(state)
        return float(loss)

    return step


def convolutional(batch, image, layers, optimizer):
    channels, height, width = image
    parameters = []
    features = 0
    for text in layers:
        kind, *sizes = text.split()
        if kind == "conv":
            k, window = map(int, sizes)
            fan_in = channels * window * window
            parameters.append((uniform(window, window, channels, k, fan_in=fan_in), uniform(k, fan_in=fan_in)))
            channels, height, width = k, height - window + 1, width - window + 1
        elif kind == "pool":
            height, width = height // 2, width // 2
        elif kind == "flatten":
            features = channels * height * width
        elif kind == "dense":
            k = int(sizes[0])
            parameters.append((uniform(features, k, fan_in=features), uniform(k, fan_in=features)))
            features = k

    def loss_of(parameters, x, y):
        remaining = iter(parameters)
        for text in layers:
            kind = text.split()[0]
            if kind == "conv":
                x = conv(x, *next(remaining))
            elif kind == "dense":
                w, b = next(remaining)
                x = x @ w + b
            else:
                x = {"relu": jax.nn.relu, "pool": pool, "flatten": lambda x: x.reshape(x.shape[0], -1)}[kind](x)
        return cross_entropy(x, y)

    x = jnp.asarray(RANDOM.random((batch, *image[1:], image[0]), dtype=np.float32))
    y = jnp.asarray(RANDOM.integers(0, 10, batch))
    return classifier_step(loss_of, parameters, optimizer, x, y)


def recurrent(batch, cell, hidden):
    gates = 4 if cell == "lstm" else 1
    shapes = [(28, gates * hidden), (hidden, gates * hidden), (gates * hidden,), (hidden, 10), (10,)]
    parameters = [uniform(*shape, fan_in=hidden) for shape in shapes]

    def loss_of(parameters, x, y):
        wx, wh, b, w, bias = parameters
        projected = jnp.swapaxes(x @ wx + b, 0, 1)
        start = jnp.zeros((x.shape[0], hidden))

        def rnn(h, z):
            return jnp.tanh(z + h @ wh), None

        def lstm(state, z):
            h, c = state
            i, f, g, o = jnp.split(z + h @ wh, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        h = lax.scan(lstm, (start, start), projected)[0][0] if cell == "lstm" else lax.scan(rnn, start, projected)[0]
        return cross_entropy(h @ w + bias, y)

    x = jnp.asarray(RANDOM.random((batch, 28, 28), dtype=np.float32))
    y = jnp.asarray(RANDOM.integers(0, 10, batch))
    return classifier_step(loss_of, parameters, "adam", x, y)


def adversarial(batch, latent):
    sizes = [(3, 3, 256, 128), (3, 3, 128, 64), (3, 3, 64, 1)]
    generator = {
        "dense": (uniform(latent, 7 * 7 * 256, fan_in=latent), uniform(7 * 7 * 256, fan_in=latent)),
        "conv": [(uniform(*s, fan_in=9 * s[2]), uniform(s[3], fan_in=9 * s[2])) for s in sizes],
        "norm": [(jnp.ones(s[3]), jnp.zeros(s[3])) for s in sizes[:2]],
    }
    widths = [784, 512, 256, 1]
    discriminator = [(uniform(a, b, fan_in=a), uniform(b, fan_in=a)) for a, b in zip(widths, widths[1:])]

    def generate(parameters, z):
        w, b = parameters["dense"]
        x = jax.nn.relu(z @ w + b).reshape(-1, 7, 7, 256)
        for (w, b), (scale, shift) in zip(parameters["conv"], parameters["norm"]):
            x = conv(jnp.repeat(jnp.repeat(x, 2, 1), 2, 2), w, b, "SAME")
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            x = jax.nn.relu((x - mean) * lax.rsqrt(var + 1e-5) * scale + shift)
        w, b = parameters["conv"][2]
        return jnp.tanh(conv(x, w, b, "SAME"))

    def judge(parameters, x):
        x = x.reshape(x.shape[0], -1)
        for w, b in parameters[:-1]:
            x = jax.nn.leaky_relu(x @ w + b, 0.2)
        w, b = parameters[-1]
        return x @ w + b

    def real_loss(logits):
        return -jnp.mean(jax.nn.log_sigmoid(logits))

    def fake_loss(logits):
        return -jnp.mean(jax.nn.log_sigmoid(-logits))

    initial, update = optimizer("adam", networks.LEARNING_RATES["gan"], beta1=0.5)

    def both(generator, discriminator, generator_state, discriminator_state, z, real):
        fake, pull_back = jax.vjp(lambda generator: generate(generator, z), generator)
        loss, gradients = jax.value_and_grad(lambda d: real_loss(judge(d, real)) + fake_loss(judge(d, fake)))(
            discriminator
        )
        discriminator, discriminator_state = update(discriminator, gradients, discriminator_state)
        generator_loss, dfake = jax.value_and_grad(lambda fake: real_loss(judge(discriminator, fake)))(fake)
        generator, generator_state = update(generator, pull_back(dfake)[0], generator_state)
        return loss + generator_loss, generator, discriminator, generator_state, discriminator_state

    compiled = jax.jit(both, donate_argnums=(0, 1, 2, 3))
    state = [generator, discriminator, initial(generator), initial(discriminator)]
    z = jnp.asarray(RANDOM.standard_normal((batch, latent), dtype=np.float32))
    real = jnp.asarray(RANDOM.random((batch, 28, 28, 1), dtype=np.float32) * 2 - 1)

    def step():
        loss, *state[:] = compiled(*state, z, real)
        jax.block_until_ready(state)
        return float(loss)

    return step


def build(name):
    if name in networks.CONVOLUTIONAL:
        return convolutional(**networks.CONVOLUTIONAL[name])
    if name in networks.RECURRENT:
        return recurrent(**networks.RECURRENT[name])
    return adversarial(**networks.ADVERSARIAL[name])


if __name__ == "__main__":
    worker.serve(build(sys.argv[1]), jax.__version__)
