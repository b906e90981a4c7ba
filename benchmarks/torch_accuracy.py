"""``python -m benchmarks.torch_accuracy cifar-lenet --seeds 0 1 2 --data DIR``: what PyTorch reaches with a recipe.

For recipes without a published accuracy to compare with. PyTorch trains the same network on the same images with the
recipe's settings, from its own initial values and in its own order; the accuracy of each seed is added to
``results/systems-in-torch/accuracy.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import machine
from minidl import kernels, recipes
from minidl.recipes.recipe import Recipe

RESULTS = Path(__file__).parent / "results" / "systems-in-torch" / "accuracy.json"


def cifar_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


# recipe: (the network, the optimizer of its parameters and learning rate)
PROGRAMS = {
    "cifar-cnn": (cifar_cnn, lambda parameters, lr: torch.optim.Adam(parameters, lr)),
    "cifar-lenet": (lenet, lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9)),
}


def accuracy(recipe: Recipe, seed: int, root: Path | None) -> float:
    """On the test set, after training as the recipe says; the last batch of an epoch is left out if it is not full."""
    make_network, make_optimizer = PROGRAMS[recipe.name]
    train, test = recipe.datasets(root)
    (x, labels), (test_x, test_labels) = ([torch.from_numpy(array) for array in part[:]] for part in (train, test))
    torch.manual_seed(seed)
    network = make_network()
    optimizer = make_optimizer(network.parameters(), recipe.lr)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(x))
        for batch in order.split(recipe.batch_size):
            if len(batch) == recipe.batch_size:
                optimizer.zero_grad()
                F.cross_entropy(network(x[batch]), labels[batch].long()).backward()
                optimizer.step()
    with torch.no_grad():
        return float((network(test_x).argmax(1) == test_labels).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torch_accuracy", description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", choices=PROGRAMS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="as for minidl train")
    options = parser.parse_args()
    kept: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    for name in options.recipes:
        for seed in options.seeds:
            reached = accuracy(recipes.find(name), seed, options.data)
            print(f"{name} seed {seed}: PyTorch {reached:.4f}", flush=True)
            kept.setdefault(name, {})[str(seed)] = reached
            kept["machine"] = machine.describe(kernels.get_num_threads())
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
