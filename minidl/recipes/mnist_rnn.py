"""MNIST read as a sequence: 28 rows of 28 pixels, one a time step, through a recurrent network."""

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier

RECIPE = ImageClassifier(
    name="mnist-rnn",
    task="sequence classification",
    dataset="MNIST",
    load=data.mnist,
    network="row_rnn",
    network_options={"hidden_size": 128},
    optimizer=optim.Adam,
    lr=0.001,
    batch_size=32,
    epochs=3,
    expected="accuracy 0.93-0.95",
    minutes=0.2,
    bright_on_dark=True,
    margin=4 / 28,
)
