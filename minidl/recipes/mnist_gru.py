"""MNIST row by row through a GRU: three gates in place of the LSTM's four, and one state."""

import dataclasses

from minidl.recipes import mnist_rnn

RECIPE = dataclasses.replace(
    mnist_rnn.RECIPE,
    name="mnist-gru",
    network_options={"hidden_size": 128, "cell": "gru"},
    expected="accuracy 0.983 to 0.985",
    minutes=0.2,
)
