"""Small networks of well-known kinds, in minidl and in PyTorch: the same lines serve both.

Each function gives a model, what it is called with, and the loss of what it returns; data are drawn from `random`.
"""

import numpy as np
from framework import F, library, nn


def images(random, n, channels, size):
    return library.from_numpy(random.standard_normal((n, channels, size, size), dtype=np.float32))


def cross_entropy(random, n, classes):
    """The loss of logits, for classes drawn at random."""
    target = library.from_numpy(random.integers(0, classes, n))
    return lambda logits: F.cross_entropy(logits, target)


def conv(inputs, outputs, kernel_size=3, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)


def pooled(channels):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)


def mlp(random):
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, images(random, 128, 1, 28).reshape(128, 784), cross_entropy(random, 128, 10)


def vgg(random):
    layers, inputs = [], 3
    for outputs in (32, 64, 128):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        inputs = outputs
    layers += [nn.Flatten(), nn.Linear(128 * 4 * 4, 128), nn.ReLU(), nn.Linear(128, 10)]
    return nn.Sequential(*layers), images(random, 32, 3, 32), cross_entropy(random, 32, 10)


class Residual(nn.Module):
    """relu(f(x) + x), where x passes a 1x1 convolution if its shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.norm1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet(random):
    sizes = (16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)
    blocks = [Residual(*size) for size in sizes]
    model = nn.Sequential(conv(3, 16), nn.BatchNorm2d(16), nn.ReLU(), *blocks, *pooled(64))
    return model, images(random, 32, 3, 32), cross_entropy(random, 32, 10)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: 1x1 to four times the channels, 3x3 within each channel, 1x1 back."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.adds, inner = inputs == outputs, 4 * inputs
        self.layers = nn.Sequential(
            conv(inputs, inner, 1), nn.BatchNorm2d(inner), nn.ReLU6(),
            conv(inner, inner, 3, stride, groups=inner), nn.BatchNorm2d(inner), nn.ReLU6(),
            conv(inner, outputs, 1), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


def mobilenet(random):
    sizes = (16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 2), (32, 32, 1)
    blocks = [InvertedResidual(*size) for size in sizes]
    model = nn.Sequential(conv(3, 16), nn.BatchNorm2d(16), nn.ReLU6(), *blocks, *pooled(32))
    return model, images(random, 32, 3, 32), cross_entropy(random, 32, 10)


class Dense(nn.Module):
    """DenseNet's layer: 12 channels more, beside those that came."""

    def __init__(self, inputs):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), conv(inputs, 12))

    def forward(self, x):
        return library.cat([x, self.layers(x)], 1)


def densenet(random):
    layers, channels = [conv(3, 24)], 24
    for block in range(3):
        if block > 0:
            layers += [nn.BatchNorm2d(channels), nn.ReLU(), conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
            channels //= 2
        layers += [Dense(channels + 12 * i) for i in range(4)]
        channels += 48
    model = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(), *pooled(channels))
    return model, images(random, 32, 3, 32), cross_entropy(random, 32, 10)


class SqueezeExcite(nn.Module):
    """Each channel times a number from 0 to 1 that the means of all channels decide."""

    def __init__(self, channels):
        super().__init__()
        self.squeeze, self.excite = nn.Linear(channels, channels // 4), nn.Linear(channels // 4, channels)

    def forward(self, x):
        scale = library.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * scale.reshape(x.shape[0], -1, 1, 1)


def senet(random):
    layers, inputs = [], 3
    for outputs, stride in ((32, 1), (64, 2), (128, 2)):
        layers += [conv(inputs, outputs, 3, stride), nn.GroupNorm(8, outputs), nn.SiLU(), SqueezeExcite(outputs)]
        inputs = outputs
    return nn.Sequential(*layers, *pooled(128)), images(random, 32, 3, 32), cross_entropy(random, 32, 10)


class UNet(nn.Module):
    """Down twice and up again; what was there on the way down comes in beside what comes up."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.bottom = self.block(1, 16), self.block(16, 32), self.block(32, 64)
        self.rise2, self.up2 = nn.ConvTranspose2d(64, 32, 2, 2), self.block(64, 32)
        self.rise1, self.up1 = nn.ConvTranspose2d(32, 16, 2, 2), self.block(32, 16)
        self.output = nn.Conv2d(16, 1, 1)

    @staticmethod
    def block(inputs, outputs):
        first = conv(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU()
        return nn.Sequential(*first, conv(outputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x):
        x1 = self.down1(x)
        x2 = self.down2(F.max_pool2d(x1, 2))
        y = self.rise2(self.bottom(F.max_pool2d(x2, 2)))
        y = self.rise1(self.up2(library.cat([y, x2], 1)))
        return self.output(self.up1(library.cat([y, x1], 1)))


def unet(random):
    mask = (images(random, 8, 1, 64) > 0).float()
    return UNet(), images(random, 8, 1, 64), lambda y: F.binary_cross_entropy_with_logits(y, mask)


def super_resolution(random):
    layers = nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh()
    model = nn.Sequential(*layers, nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3))
    large = images(random, 16, 1, 96)
    return model, images(random, 16, 1, 32), lambda y: F.mse_loss(y, large)


class VariationalAutoencoder(nn.Module):
    """With the same noise in every step, so that the losses of two frameworks can be compared."""

    def __init__(self, noise):
        super().__init__()
        self.encode, self.mean, self.log_variance = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.decode, self.output, self.noise = nn.Linear(20, 400), nn.Linear(400, 784), noise

    def forward(self, x):
        h = F.relu(self.encode(x))
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + self.noise * (0.5 * log_variance).exp()
        return self.output(F.relu(self.decode(z))), mean, log_variance


def vae(random):
    noise = library.from_numpy(random.standard_normal((128, 20), dtype=np.float32))
    x = library.from_numpy(random.random((128, 784), dtype=np.float32))

    def loss(output):
        y, mean, log_variance = output
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        return (F.binary_cross_entropy_with_logits(y, x, reduction="sum") + divergence) / 128

    return VariationalAutoencoder(noise), x, loss


class VisionTransformer(nn.Module):
    """Pieces of 4 x 4 pixels as 64 tokens."""

    def __init__(self, width=64):
        super().__init__()
        self.cut = nn.Conv2d(3, width, 4, 4)
        self.positions = nn.Parameter(library.zeros(1, 64, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 4)
        self.output = nn.Linear(width, 10)

    def forward(self, x):
        tokens = self.cut(x).flatten(2).transpose(1, 2) + self.positions
        return self.output(self.body(tokens).mean(1))


def vit(random):
    return VisionTransformer(), images(random, 32, 3, 32), cross_entropy(random, 32, 10)


class TextGru(nn.Module):
    """Words read from both ends; of each number the largest over the words decides."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5000, 64)
        self.body = nn.GRU(64, 128, batch_first=True, bidirectional=True)
        self.output = nn.Linear(256, 2)

    def forward(self, words):
        y, _ = self.body(self.embedding(words))
        return self.output(y.max(1)[0])


def text_gru(random):
    return TextGru(), library.from_numpy(random.integers(0, 5000, (32, 50))), cross_entropy(random, 32, 2)


class TemporalConvolutions(nn.Module):
    """Each reaches twice as far as the one before."""

    def __init__(self):
        super().__init__()
        layers, inputs = [], 8
        for dilation in (1, 2, 4, 8):
            layers += [nn.Conv1d(inputs, 32, 3, padding=dilation, dilation=dilation), nn.ReLU()]
            inputs = 32
        self.body, self.output = nn.Sequential(*layers), nn.Linear(32, 5)

    def forward(self, x):
        return self.output(self.body(x).mean(2))


def tcn(random):
    x = library.from_numpy(random.standard_normal((32, 8, 128), dtype=np.float32))
    return TemporalConvolutions(), x, cross_entropy(random, 32, 5)


def set_parameters(model):
    """The same weights in both: uniform in +-1/sqrt(fan_in), biases 0, and the ones of normalization layers."""
    drawn = np.random.default_rng(1)
    with library.no_grad():
        for w in model.parameters():
            if w.ndim > 1:
                bound = float(np.prod(w.shape[1:])) ** -0.5
                w.copy_(library.from_numpy(drawn.uniform(-bound, bound, tuple(w.shape)).astype(np.float32)))
            elif not bool((w == 1).all()):
                w.zero_()
