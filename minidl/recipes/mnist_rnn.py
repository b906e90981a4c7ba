"""MNIST read as a sequence: 28 rows of 28 pixels, one a time step, through a recurrent network."""

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier
from minidl.recipes.schedules import cosine

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
    epochs=5,
    schedule=cosine,
    clip_grad_norm=1.0,  # a plain RNN's gradient grows with the number of steps
    expected="accuracy 0.964 to 0.969",
    minutes=0.1,
    bright_on_dark=True,
    margin=4 / 28,
)
