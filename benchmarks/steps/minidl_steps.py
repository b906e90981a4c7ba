"""The training steps in minidl: the public API, as a user writes it."""

import sys

import networks
import numpy as np
import worker

import minidl
from minidl import functional as F
from minidl import nn, optim


def layer(text: str, channels: int, features: int) -> nn.Module:
    kind, *sizes = text.split()
    if kind == "conv":
        return nn.Conv2d(channels, int(sizes[0]), int(sizes[1]))
    if kind == "dense":
        return nn.Linear(features, int(sizes[0]))
    return {"relu": nn.ReLU, "pool": lambda: nn.MaxPool2d(2), "flatten": nn.Flatten}[kind]()


def convolutional(batch, image, layers, optimizer):
    model, shape = nn.Sequential(), image
    for text in layers:
        model.append(layer(text, shape[0], shape[-1]))
        with minidl.no_grad():
            shape = model(minidl.Tensor(np.zeros((1, *image), np.float32))).shape[1:]
    if optimizer == "adam":
        optimizer = optim.Adam(model.parameters(), lr=networks.LEARNING_RATES["adam"])
    else:
        lr = networks.LEARNING_RATES[optimizer]
        optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=optimizer == "nesterov")
    random = np.random.default_rng(0)
    x = minidl.Tensor(random.random((batch, *image), dtype=np.float32))
    y = minidl.Tensor(random.integers(0, 10, batch))
    return classifier_step(model, optimizer, x, y)


class Recurrent(nn.Module):
    def __init__(self, cell, hidden):
        super().__init__()
        self.cell = (nn.RNN if cell == "rnn" else nn.LSTM)(28, hidden, batch_first=True)
        self.output = nn.Linear(hidden, 10)

    def forward(self, x):
        return self.output(self.cell(x)[0][:, -1])


def recurrent(batch, cell, hidden):
    model = Recurrent(cell, hidden)
    optimizer = optim.Adam(model.parameters(), lr=networks.LEARNING_RATES["adam"])
    random = np.random.default_rng(0)
    x = minidl.Tensor(random.random((batch, 28, 28), dtype=np.float32))
    y = minidl.Tensor(random.integers(0, 10, batch))
    return classifier_step(model, optimizer, x, y)


def classifier_step(model, optimizer, x, y):
    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def adversarial(batch, latent):
    generator = nn.Sequential(
        nn.Linear(latent, 7 * 7 * 256), nn.ReLU(), nn.Unflatten(1, (256, 7, 7)),
        nn.Upsample(scale_factor=2), nn.Conv2d(256, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Conv2d(64, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
    )
    lr = networks.LEARNING_RATES["gan"]
    generator_optimizer = optim.Adam(generator.parameters(), lr=lr, betas=(0.5, 0.999))
    discriminator_optimizer = optim.Adam(discriminator.parameters(), lr=lr, betas=(0.5, 0.999))
    random = np.random.default_rng(0)
    real = minidl.Tensor(random.random((batch, 1, 28, 28), dtype=np.float32) * 2 - 1)
    z = minidl.Tensor(random.standard_normal((batch, latent), dtype=np.float32))
    ones, zeros = minidl.Tensor(np.ones((batch, 1), np.float32)), minidl.Tensor(np.zeros((batch, 1), np.float32))
    loss_of = F.binary_cross_entropy_with_logits

    def step():
        fake = generator(z)
        discriminator_optimizer.zero_grad()
        loss = loss_of(discriminator(real), ones) + loss_of(discriminator(fake.detach()), zeros)
        loss.backward()
        discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        generator_loss = loss_of(discriminator(fake), ones)
        generator_loss.backward()
        generator_optimizer.step()
        return loss.item() + generator_loss.item()

    return step


def build(name):
    if name in networks.CONVOLUTIONAL:
        return convolutional(**networks.CONVOLUTIONAL[name])
    if name in networks.RECURRENT:
        return recurrent(**networks.RECURRENT[name])
    return adversarial(**networks.ADVERSARIAL[name])


if __name__ == "__main__":
    minidl.set_num_threads(int(sys.argv[2]))
    worker.serve(build(sys.argv[1]), minidl.__version__)
