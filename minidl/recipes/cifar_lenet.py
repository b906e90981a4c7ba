"""CIFAR-10 with LeNet: network, loss and optimizer of PyTorch's tutorial "Training a classifier"."""

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier

RECIPE = ImageClassifier(
    name="cifar-lenet",
    task="image classification",
    dataset="CIFAR-10",
    load=data.cifar10,
    network="lenet",
    optimizer=lambda parameters, lr: optim.SGD(parameters, lr, momentum=0.9),
    lr=0.001,
    batch_size=4,
    epochs=4,
    expected="accuracy 0.49 to 0.55 (20,000 images)",
    minutes=0.2,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
