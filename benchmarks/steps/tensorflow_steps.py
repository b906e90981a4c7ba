"""The training steps in TensorFlow: Keras layers, one tf.function around the whole step."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import networks  # noqa: E402
import tensorflow as tf  # noqa: E402
import worker  # noqa: E402
from tensorflow import keras  # noqa: E402
from tensorflow.keras import layers as kl  # noqa: E402


def layer(kind, sizes, shape):
    makers = {"conv": kl.Conv2D, "dense": kl.Dense, "relu": kl.ReLU, "flatten": kl.Flatten}
    return kl.MaxPooling2D(2) if kind == "pool" else makers[kind](*sizes)


class Block(kl.Layer):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = kl.LayerNormalization(epsilon=1e-5)
        self.attend = kl.Dense(3 * width)
        self.project = kl.Dense(width)
        self.norm2 = kl.LayerNormalization(epsilon=1e-5)
        self.widen = kl.Dense(4 * width)
        self.narrow = kl.Dense(width)

    def call(self, x):
        n, length, width = x.shape
        parts = tf.split(self.attend(self.norm1(x)), 3, axis=2)
        q, k, v = (
            tf.transpose(tf.reshape(part, (-1, length, self.heads, width // self.heads)), (0, 2, 1, 3))
            for part in parts
        )
        scores = tf.matmul(q, k, transpose_b=True) / (width // self.heads) ** 0.5
        seen = tf.linalg.band_part(tf.ones((length, length), tf.bool), -1, 0)
        y = tf.matmul(tf.nn.softmax(tf.where(seen, scores, -float("inf"))), v)
        x = x + self.project(tf.reshape(tf.transpose(y, (0, 2, 1, 3)), (-1, length, width)))
        return x + self.narrow(tf.nn.gelu(self.widen(self.norm2(x)), approximate=False))


class Positions(kl.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:])

    def call(self, x):
        return x + self.table


def language(network):
    embedding, width = kl.Embedding(networks.CHARACTERS, network["width"]), network["width"]
    if "cell" in network:
        return [embedding, kl.LSTM(width, return_sequences=True), kl.Dense(networks.CHARACTERS)]
    blocks = [Block(width, network["heads"]) for _ in range(network["blocks"])]
    return [embedding, Positions(), *blocks, kl.LayerNormalization(epsilon=1e-5), kl.Dense(networks.CHARACTERS)]


def set_parameters(network, *models):
    variables = [variable for model in models for variable in model.trainable_variables]
    for variable, value in zip(variables, networks.channels_last_parameters(network), strict=True):
        variable.assign(value)


def classifier(network):
    x, y = networks.data(network)
    if network["kind"] == "recurrent":
        cell = (kl.SimpleRNN if network["cell"] == "rnn" else kl.LSTM)(network["hidden"])
        parts, kind = [cell, kl.Dense(10)], "adam"
    elif network["kind"] == "language":
        parts, kind = language(network), "adam"
    else:
        x = x.transpose(0, 2, 3, 1)
        parts = [layer(*part) for part in networks.plan(network["image"], network["layers"])]
        kind = network["optimizer"]
    model = keras.Sequential([keras.Input(x.shape[1:]), *parts])
    set_parameters(network, model)
    lr = networks.LEARNING_RATES[kind]
    if kind == "adam":
        optimizer = keras.optimizers.Adam(lr, epsilon=1e-8)
    else:
        optimizer = keras.optimizers.SGD(lr, momentum=0.9, nesterov=kind == "nesterov")
    x, y = tf.constant(x), tf.constant(y)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function
    def train(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return lambda: float(train(x, y))


def batch_norm():
    return kl.BatchNormalization(momentum=0.9, epsilon=1e-5)


def adversarial(network):
    generator = keras.Sequential(
        [
            keras.Input((network["latent"],)), kl.Dense(7 * 7 * 256, "relu"), kl.Reshape((7, 7, 256)),
            kl.UpSampling2D(), kl.Conv2D(128, 3, padding="same"), batch_norm(), kl.ReLU(),
            kl.UpSampling2D(), kl.Conv2D(64, 3, padding="same"), batch_norm(), kl.ReLU(),
            kl.Conv2D(1, 3, padding="same", activation="tanh"),
        ]
    )  # fmt: skip
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)), kl.Flatten(), kl.Dense(512), kl.LeakyReLU(0.2), kl.Dense(256), kl.LeakyReLU(0.2),
            kl.Dense(1),
        ]
    )  # fmt: skip
    set_parameters(network, generator, discriminator)
    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)
    lr = networks.LEARNING_RATES["gan"]
    generator_optimizer, discriminator_optimizer = (
        keras.optimizers.Adam(lr, beta_1=0.5, epsilon=1e-8) for _ in range(2)
    )
    generator_optimizer.build(generator.trainable_variables)
    discriminator_optimizer.build(discriminator.trainable_variables)
    z, real = networks.data(network)
    z, real = tf.constant(z), tf.constant(real.transpose(0, 2, 3, 1))
    ones, zeros = tf.ones((len(z), 1)), tf.zeros((len(z), 1))

    @tf.function
    def train(z, real):
        with tf.GradientTape() as generator_tape:
            fake = generator(z, training=True)
            with tf.GradientTape() as tape:
                logits = discriminator(real, training=True), discriminator(tf.stop_gradient(fake), training=True)
                loss = loss_of(ones, logits[0]) + loss_of(zeros, logits[1])
            variables = discriminator.trainable_variables
            discriminator_optimizer.apply(tape.gradient(loss, variables), variables)
            generator_loss = loss_of(ones, discriminator(fake, training=True))
        variables = generator.trainable_variables
        generator_optimizer.apply(generator_tape.gradient(generator_loss, variables), variables)
        return loss + generator_loss

    return lambda: float(train(z, real))


def build(network):
    keras.backend.clear_session()  # or the graphs of all former networks stay
    return adversarial(network) if network["kind"] == "adversarial" else classifier(network)


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    worker.serve(build, tf.__version__)
