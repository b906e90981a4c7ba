"""The training steps in TensorFlow: Keras layers, one tf.function around the whole step."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import networks  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import worker  # noqa: E402
from tensorflow import keras  # noqa: E402
from tensorflow.keras import layers as kl  # noqa: E402

RANDOM = np.random.default_rng(0)


def layer(text):
    kind, *sizes = text.split()
    if kind == "conv":
        return kl.Conv2D(int(sizes[0]), int(sizes[1]))
    if kind == "dense":
        return kl.Dense(int(sizes[0]))
    return {"relu": kl.ReLU, "pool": lambda: kl.MaxPooling2D(2), "flatten": kl.Flatten}[kind]()


def classifier_step(model, optimizer, x, y):
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


def convolutional(batch, image, layers, optimizer):
    channels, height, width = image
    model = keras.Sequential([keras.Input((height, width, channels)), *map(layer, layers)])
    lr = networks.LEARNING_RATES[optimizer]
    if optimizer == "adam":
        optimizer = keras.optimizers.Adam(lr)
    else:
        optimizer = keras.optimizers.SGD(lr, momentum=0.9, nesterov=optimizer == "nesterov")
    x = tf.constant(RANDOM.random((batch, height, width, channels), dtype=np.float32))
    return classifier_step(model, optimizer, x, tf.constant(RANDOM.integers(0, 10, batch)))


def recurrent(batch, cell, hidden):
    cell = kl.SimpleRNN(hidden) if cell == "rnn" else kl.LSTM(hidden)
    model = keras.Sequential([keras.Input((28, 28)), cell, kl.Dense(10)])
    optimizer = keras.optimizers.Adam(networks.LEARNING_RATES["adam"])
    x = tf.constant(RANDOM.random((batch, 28, 28), dtype=np.float32))
    return classifier_step(model, optimizer, x, tf.constant(RANDOM.integers(0, 10, batch)))


def adversarial(batch, latent):
    generator = keras.Sequential(
        [
            keras.Input((latent,)), kl.Dense(7 * 7 * 256, "relu"), kl.Reshape((7, 7, 256)),
            kl.UpSampling2D(), kl.Conv2D(128, 3, padding="same"), kl.BatchNormalization(momentum=0.9), kl.ReLU(),
            kl.UpSampling2D(), kl.Conv2D(64, 3, padding="same"), kl.BatchNormalization(momentum=0.9), kl.ReLU(),
            kl.Conv2D(1, 3, padding="same", activation="tanh"),
        ]
    )  # fmt: skip
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)), kl.Flatten(), kl.Dense(512), kl.LeakyReLU(0.2), kl.Dense(256), kl.LeakyReLU(0.2),
            kl.Dense(1),
        ]
    )  # fmt: skip
    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)
    lr = networks.LEARNING_RATES["gan"]
    generator_optimizer, discriminator_optimizer = (keras.optimizers.Adam(lr, beta_1=0.5) for _ in range(2))
    generator_optimizer.build(generator.trainable_variables)
    discriminator_optimizer.build(discriminator.trainable_variables)
    z = tf.constant(RANDOM.standard_normal((batch, latent), dtype=np.float32))
    real = tf.constant(RANDOM.random((batch, 28, 28, 1), dtype=np.float32) * 2 - 1)
    ones, zeros = tf.ones((batch, 1)), tf.zeros((batch, 1))

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


def build(name):
    if name in networks.CONVOLUTIONAL:
        return convolutional(**networks.CONVOLUTIONAL[name])
    if name in networks.RECURRENT:
        return recurrent(**networks.RECURRENT[name])
    return adversarial(**networks.ADVERSARIAL[name])


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    worker.serve(build(sys.argv[1]), tf.__version__)
