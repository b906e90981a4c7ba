"""The networks whose training steps are timed: sizes that every framework's file reads, and nothing else.

A layer is ("conv", channels, window), ("dense", units) or a word. Images are (channels, height, width); convolutions
have no padding and stride 1, pooling is the maximum of 2 x 2 windows.
"""

CONVOLUTIONAL = {
    "M1 MNIST CNN N=32": {
        "batch": 32,
        "image": (1, 28, 28),
        "layers": ["conv 32 3", "relu", "pool", "conv 64 3", "relu", "pool", "flatten", "dense 64", "relu", "dense 10"],
        "optimizer": "adam",
    },
    "M2 CIFAR CNN N=64": {
        "batch": 64,
        "image": (3, 32, 32),
        "layers": [
            "conv 32 3",
            "relu",
            "pool",
            "conv 64 3",
            "relu",
            "pool",
            "conv 64 3",
            "relu",
            "flatten",
            "dense 64",
            "relu",
            "dense 10",
        ],  # fmt: skip
        "optimizer": "adam",
    },
    "M3 LeNet N=4": {
        "batch": 4,
        "image": (3, 32, 32),
        "layers": [
            "conv 6 5",
            "relu",
            "pool",
            "conv 16 5",
            "relu",
            "pool",
            "flatten",
            "dense 120",
            "relu",
            "dense 84",
            "relu",
            "dense 10",
        ],  # fmt: skip
        "optimizer": "momentum",
    },
    "M4 224x224 CNN N=32": {
        "batch": 32,
        "image": (1, 224, 224),
        "layers": [
            "conv 32 3",
            "relu",
            "pool",
            "conv 64 3",
            "relu",
            "pool",
            "flatten",
            "dense 128",
            "relu",
            "dense 10",
        ],
        "optimizer": "nesterov",
    },
}
CONVOLUTIONAL["M3 LeNet N=64"] = {**CONVOLUTIONAL["M3 LeNet N=4"], "batch": 64}

# Rows of an image are the steps of a sequence: (batch, 28 steps, 28 pixels); a dense layer of 10 reads the last
# state.
RECURRENT = {
    "RNN 32 N=32": {"batch": 32, "cell": "rnn", "hidden": 32},
    "RNN 128 N=32": {"batch": 32, "cell": "rnn", "hidden": 128},
    "LSTM 128 N=32": {"batch": 32, "cell": "lstm", "hidden": 128},
}

# Generator: 100 -> dense 7*7*256, relu -> upsample 2 -> conv 128 3x3, batch norm, relu -> upsample 2 -> conv 64 3x3,
# batch norm, relu -> conv 1 3x3, tanh (all padded by 1). Discriminator: 784-512-256-1, leaky relu 0.2. One step trains
# both.
ADVERSARIAL = {"M6 GAN N=32": {"batch": 32, "latent": 100}}

NAMES = [
    "M1 MNIST CNN N=32", "M2 CIFAR CNN N=64", "M3 LeNet N=4", "M3 LeNet N=64", "M4 224x224 CNN N=32", "RNN 32 N=32",
    "RNN 128 N=32", "LSTM 128 N=32", "M6 GAN N=32",
]  # fmt: skip

LEARNING_RATES = {"adam": 1e-3, "momentum": 1e-3, "nesterov": 1e-3, "gan": 2e-4}
