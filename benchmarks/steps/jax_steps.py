"""The training steps in JAX: plain functions of a list of parameters, one jit around the whole step."""

import os
import sys

threads = int(sys.argv[1])
os.environ["XLA_FLAGS"] = (
    f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import networks  # noqa: E402
import worker  # noqa: E402
from jax import lax  # noqa: E402


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
    y = jnp.asarray(y)
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


def convolutional(network):
    layers = networks.plan(network["image"], network["layers"])
    remaining = iter(map(jnp.asarray, networks.channels_last_parameters(network)))
    parameters = list(zip(remaining, remaining))  # a weight and a bias for each layer

    def loss_of(parameters, x, y):
        remaining = iter(parameters)
        for kind, *_ in layers:
            if kind == "conv":
                x = conv(x, *next(remaining))
            elif kind == "dense":
                w, b = next(remaining)
                x = x @ w + b
            else:
                x = {"relu": jax.nn.relu, "pool": pool, "flatten": lambda x: x.reshape(x.shape[0], -1)}[kind](x)
        return cross_entropy(x, y)

    x, y = networks.data(network)
    return classifier_step(loss_of, parameters, network["optimizer"], jnp.asarray(x.transpose(0, 2, 3, 1)), y)


def recurrent(network):
    parameters = [jnp.asarray(value) for value in networks.channels_last_parameters(network)]

    def loss_of(parameters, x, y):
        wx, wh, b, w, bias = parameters
        start = jnp.zeros((x.shape[0], network["hidden"]))

        def rnn(h, z):
            return jnp.tanh(z + h @ wh), None

        if network["cell"] == "lstm":
            h = lstm_states(jnp.swapaxes(x, 0, 1), wx, wh, b)[-1]
        else:
            h = lax.scan(rnn, start, jnp.swapaxes(x @ wx + b, 0, 1))[0]
        return cross_entropy(h @ w + bias, y)

    return classifier_step(loss_of, parameters, "adam", *map(jnp.asarray, networks.data(network)))


def normed(x, scale, shift):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * scale + shift


def block(x, parameters, heads):
    scale1, shift1, w_attend, b_attend, w, b, scale2, shift2, w_widen, b_widen, w_narrow, b_narrow = parameters
    n, length, width = x.shape
    parts = jnp.split(normed(x, scale1, shift1) @ w_attend + b_attend, 3, axis=2)
    q, k, v = (part.reshape(n, length, heads, -1).swapaxes(1, 2) for part in parts)
    scores = q @ k.swapaxes(2, 3) / (width // heads) ** 0.5
    p = jax.nn.softmax(jnp.where(jnp.tri(length, dtype=bool), scores, -jnp.inf))
    x = x + (p @ v).swapaxes(1, 2).reshape(n, length, width) @ w + b
    return x + jax.nn.gelu(normed(x, scale2, shift2) @ w_widen + b_widen, approximate=False) @ w_narrow + b_narrow


def language(network):
    parameters = [jnp.asarray(value) for value in networks.channels_last_parameters(network)]

    def loss_of(parameters, ids, y):
        x = parameters[0][ids]
        if "cell" in network:
            x = lstm_states(jnp.swapaxes(x, 0, 1), *parameters[1:4])
            x = jnp.swapaxes(x, 0, 1)
        else:
            x = x + parameters[1]
            for first in range(2, 2 + 12 * network["blocks"], 12):
                x = block(x, parameters[first : first + 12], network["heads"])
            x = normed(x, *parameters[-4:-2])
        logits = x @ parameters[-2] + parameters[-1]
        return cross_entropy(logits.reshape(-1, networks.CHARACTERS), y.reshape(-1))

    return classifier_step(loss_of, parameters, "adam", *map(jnp.asarray, networks.data(network)))


def lstm_states(x, wx, wh, b):
    """The states h of all steps, (T, N, H)."""

    def cell(state, z):
        h, c = state
        i, f, g, o = jnp.split(z + h @ wh, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((x.shape[1], wh.shape[0]))
    return lax.scan(cell, (start, start), x @ wx + b)[1]


def adversarial(network):
    remaining = iter(map(jnp.asarray, networks.channels_last_parameters(network)))
    dense, conv1, norm1, conv2, norm2, conv3, *discriminator = zip(remaining, remaining)
    generator = {"dense": dense, "conv": [conv1, conv2, conv3], "norm": [norm1, norm2]}

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
    z, real = networks.data(network)
    z, real = jnp.asarray(z), jnp.asarray(real.transpose(0, 2, 3, 1))

    def step():
        loss, *state[:] = compiled(*state, z, real)
        jax.block_until_ready(state)
        return float(loss)

    return step


def build(network):
    makers = {"convolutional": convolutional, "recurrent": recurrent, "language": language, "adversarial": adversarial}
    return makers[network["kind"]](network)


if __name__ == "__main__":
    worker.serve(build, jax.__version__)
