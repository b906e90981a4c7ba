"""Fashion-MNIST, with the CNN of mnist-cnn: pictures as small as MNIST's, but harder to tell apart."""

from minidl import data, optim
from minidl.recipes.image_classifier import ImageClassifier
from minidl.recipes.schedules import cosine

RECIPE = ImageClassifier(
    name="fashion-cnn",
    task="image classification",
    dataset="Fashion-MNIST",
    load=data.fashion_mnist,
    network="mnist_cnn",
    optimizer=optim.Adam,
    lr=0.001,
    batch_size=32,
    epochs=8,
    schedule=cosine,
    expected="accuracy 0.908 to 0.914",
    minutes=0.3,
    bright_on_dark=True,
)
