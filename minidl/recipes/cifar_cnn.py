"""CIFAR-10 with three convolutions. If only some of the 50,000 training images are on this machine, those are used."""

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier

RECIPE = ImageClassifier(
    name="cifar-cnn",
    task="image classification",
    dataset="CIFAR-10",
    load=data.cifar10,
    network="cifar_cnn",
    optimizer=optim.Adam,
    lr=0.001,
    batch_size=64,
    epochs=10,
    expected="accuracy 0.59 to 0.61 (20,000 images)",
    minutes=0.2,
)
