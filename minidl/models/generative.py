"""Networks that generate images, each with a discriminator. Shapes beside the layers are of one image, (C, H, W)."""

from __future__ import annotations

from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor


class GAN(nn.Module):
    """A generator of grey images in -1..1 from noise, and a discriminator of real and generated ones.

    x = generator(z) with noise z (N, latent) from the normal distribution; discriminator(x) returns logits (N, 1),
    positive for images that it takes to be real.

    Parameters
    ----------
    latent : int
        The size of the noise vector z.
    discriminator : {"convolutional", "dense"}
    image_size : int
        Height and width; a multiple of 4.

    Notes
    -----
    Sources: I. Goodfellow et al., "Generative Adversarial Networks", 2014; A. Radford, L. Metz, S. Chintala,
    "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", 2015.
    """

    def __init__(self, latent: int = 100, discriminator: str = "convolutional", image_size: int = 28):
        super().__init__()
        if discriminator not in DISCRIMINATORS:
            raise ValueError(f"discriminator must be one of {', '.join(DISCRIMINATORS)}, got {discriminator!r}")
        if image_size < 4 or image_size % 4:
            raise ValueError(f"image_size must be a multiple of 4, got {image_size}")
        self.latent = latent
        self.generator = image_generator(latent, image_size)
        self.discriminator = DISCRIMINATORS[discriminator](image_size)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)


def image_generator(latent: int, image_size: int) -> nn.Module:
    """From noise (N, latent) to images, doubling the size twice; beside the layers, the shapes for images of 28x28."""
    side = image_size // 4
    return nn.Sequential(
        nn.Linear(latent, 256 * side * side), nn.ReLU(), nn.Unflatten(1, (256, side, side)),  # (256, 7, 7)
        nn.Upsample(scale_factor=2), nn.Conv2d(256, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(),  # (128, 14, 14)
        nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),  # (64, 28, 28)
        nn.Conv2d(64, 1, 3, padding=1), nn.Tanh(),  # (1, 28, 28)
    )  # fmt: skip


def dense_discriminator(image_size: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(image_size * image_size, 512), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Linear(256, 1),
    )  # fmt: skip


def convolutional_discriminator(image_size: int, channels: int = 64, kernel_size: int = 5) -> nn.Module:
    """Strides in place of pooling, so that every pixel of a generated image gets a gradient."""
    side, padding = image_size // 4, kernel_size // 2
    return nn.Sequential(
        nn.Conv2d(1, channels, kernel_size, stride=2, padding=padding),  # (64, 14, 14)
        nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Conv2d(channels, 2 * channels, kernel_size, stride=2, padding=padding),  # (128, 7, 7)
        nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(2 * channels * side * side, 1),
    )  # fmt: skip


DISCRIMINATORS = {"convolutional": convolutional_discriminator, "dense": dense_discriminator}


class Inpainter(nn.Module):
    """Fills the hole of a grey image in 0..1, and a discriminator of whole and repaired images.

    repaired = image * (1 - hole) + decoder(encoder([image, hole])) * hole

    The input is (N, 2, H, W): the image with 0 in its hole, and the hole, 1 where pixels are missing.

    Notes
    -----
    Source: D. Pathak et al., "Context Encoders: Feature Learning by Inpainting", 2016; the hole as a second channel
    after S. Iizuka, E. Simo-Serra, H. Ishikawa, "Globally and Locally Consistent Image Completion", 2017.
    """

    def __init__(self, image_size: int = 28):
        super().__init__()
        if image_size < 4 or image_size % 4:
            raise ValueError(f"image_size must be a multiple of 4, got {image_size}")
        self.generator = nn.Sequential(
            nn.Conv2d(2, 32, 3, padding=1), nn.ReLU(),  # (32, 28, 28)
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),  # (64, 14, 14)
            nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU(),  # (128, 7, 7)
            nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(),  # across the hole, which is 3 wide here
            nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1), nn.ReLU(),  # (64, 14, 14)
            nn.Upsample(scale_factor=2), nn.Conv2d(64, 32, 3, padding=1), nn.ReLU(),  # (32, 28, 28)
            nn.Conv2d(32, 1, 3, padding=1), nn.Sigmoid(),  # (1, 28, 28)
        )  # fmt: skip
        self.discriminator = convolutional_discriminator(image_size, channels=32, kernel_size=3)

    def forward(self, damaged: Tensor) -> Tensor:
        image, hole = damaged[:, :1], damaged[:, 1:]
        return F.where(hole.data > 0, self.generator(damaged), image)
