"""The training steps in minidl and in PyTorch: eager, with channels-last images, or compiled.

One program serves both, as they have the same names: it is what a user writes.
"""

import sys

import architectures
import networks
import numpy as np
import worker
from framework import MODE, F, library, nn, optim


def layer(kind, sizes, shape):
    if kind == "conv":
        return nn.Conv2d(shape[0], *sizes)
    if kind == "dense":
        return nn.Linear(*shape, *sizes)
    return {"relu": nn.ReLU, "pool": lambda: nn.MaxPool2d(2), "flatten": nn.Flatten}[kind]()


class Recurrent(nn.Module):
    def __init__(self, cell, hidden):
        super().__init__()
        self.cell = (nn.RNN if cell == "rnn" else nn.LSTM)(28, hidden, batch_first=True)
        self.output = nn.Linear(hidden, 10)

    def forward(self, x):
        _, last = self.cell(x)
        h = last[0] if isinstance(last, tuple) else last  # an LSTM's has its cell beside it
        return self.output(h[-1])


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x):
        n, length, width = x.shape
        parts = self.attend(self.norm1(x)).split(width, 2)
        q, k, v = (part.reshape(n, length, self.heads, -1).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(n, length, width))
        return x + self.narrow(F.gelu(self.widen(self.norm2(x))))


class Language(nn.Module):
    def __init__(self, network):
        super().__init__()
        width = network["width"]
        self.embedding = nn.Embedding(networks.CHARACTERS, width)
        if "cell" in network:
            self.positions, self.body = None, nn.LSTM(width, width, batch_first=True)
        else:
            self.positions = nn.Embedding(networks.LENGTH, width)
            self.body = nn.Sequential(*(Block(width, network["heads"]) for _ in range(network["blocks"])))
            self.body.append(nn.LayerNorm(width))
        self.output = nn.Linear(width, networks.CHARACTERS)

    def forward(self, ids):
        x = self.embedding(ids)
        x = self.body(x)[0] if self.positions is None else self.body(x + self.positions.weight)
        return self.output(x).reshape(-1, networks.CHARACTERS)


def set_parameters(network, *models):
    parameters = [parameter for model in models for parameter in model.parameters()]
    with library.no_grad():
        for parameter, value in zip(parameters, networks.parameters(network), strict=True):
            parameter.copy_(library.from_numpy(value))


def classifier(network):
    if network["kind"] == "recurrent":
        model, kind = Recurrent(network["cell"], network["hidden"]), "adam"
    elif network["kind"] == "language":
        model, kind = Language(network), "adam"
    else:
        model = nn.Sequential(*(layer(*part) for part in networks.plan(network["image"], network["layers"])))
        kind = network["optimizer"]
    set_parameters(network, model)
    device, lr = network.get("device", "cpu"), networks.LEARNING_RATES[kind]
    model = model.to(device)
    if kind == "adam":
        optimizer = optim.Adam(model.parameters(), lr=lr)
    else:
        optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=kind == "nesterov")
    x, y = (library.from_numpy(array).to(device) for array in networks.data(network))
    y = y.flatten()
    return step_of(model, x, lambda logits: F.cross_entropy(logits, y), optimizer)


def architecture(network):
    model, x, loss_of = getattr(architectures, network["function"])(np.random.default_rng(0))
    architectures.set_parameters(model)
    return step_of(model, x, loss_of, optim.Adam(model.parameters(), lr=networks.LEARNING_RATES["adam"]))


def step_of(model, x, loss_of, optimizer):
    if MODE == "channels-last" and x.ndim == 4:
        model, x = model.to(memory_format=library.channels_last), x.to(memory_format=library.channels_last)
    if MODE == "compile":
        model = library.compile(model)

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def adversarial(network):
    generator = nn.Sequential(
        nn.Linear(network["latent"], 7 * 7 * 256), nn.ReLU(), nn.Unflatten(1, (256, 7, 7)),
        nn.Upsample(scale_factor=2), nn.Conv2d(256, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Conv2d(64, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
    )
    set_parameters(network, generator, discriminator)
    lr = networks.LEARNING_RATES["gan"]
    generator_optimizer = optim.Adam(generator.parameters(), lr=lr, betas=(0.5, 0.999))
    discriminator_optimizer = optim.Adam(discriminator.parameters(), lr=lr, betas=(0.5, 0.999))
    z, real = map(library.from_numpy, networks.data(network))
    ones, zeros = library.ones(len(z), 1), library.zeros(len(z), 1)
    loss_of = F.binary_cross_entropy_with_logits
    if MODE == "channels-last":
        generator = generator.to(memory_format=library.channels_last)
    if MODE == "compile":
        generator, discriminator = library.compile(generator), library.compile(discriminator)

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


def build(network):
    return {"adversarial": adversarial, "architecture": architecture}.get(network["kind"], classifier)(network)


if __name__ == "__main__":
    library.set_num_threads(int(sys.argv[1]))
    worker.serve(build, library.__version__)
