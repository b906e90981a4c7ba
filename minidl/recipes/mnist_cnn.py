"""MNIST's handwritten digits, with the small CNN of Keras' guides."""

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier
from minidl.recipes.schedules import cosine

RECIPE = ImageClassifier(
    name="mnist-cnn",
    task="image classification",
    dataset="MNIST",
    load=data.mnist,
    network="mnist_cnn",
    optimizer=optim.Adam,
    lr=0.001,
    batch_size=32,
    epochs=5,
    schedule=cosine,
    expected="accuracy 0.990 to 0.993",
    minutes=0.2,
    bright_on_dark=True,
    margin=4 / 28,
)
