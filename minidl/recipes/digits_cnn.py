"""Handwritten digits of 8x8 pixels, which come with scikit-learn. The 360 test images are by other writers."""

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier

RECIPE = ImageClassifier(
    name="digits-cnn",
    task="image classification",
    dataset="digits",
    load=lambda root: data.digits(),
    network="digits_cnn",
    optimizer=optim.Adam,
    lr=0.001,
    batch_size=32,
    epochs=30,
    expected="accuracy 0.93 to 0.96",
    minutes=0.1,
    bright_on_dark=True,
)
