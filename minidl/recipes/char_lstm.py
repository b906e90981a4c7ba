"""Shakespeare's plays, character by character: an LSTM learns which comes next, and then writes some lines itself.

The text is cut into as many rows as a batch has, and the LSTM reads all rows from left to right. Its state is carried
from batch to batch, the gradient only through the `LENGTH` characters of one: truncated backpropagation through time.

Source: A. Karpathy, The unreasonable effectiveness of recurrent neural networks, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minidl import Tensor, data, models, nn, optim, training, visualize
from minidl import functional as F
from minidl.optim.lr_scheduler import LRScheduler
from minidl.recipes.recipe import Recipe
from minidl.recipes.schedules import warm_up_and_cosine
from minidl.serialization import write_atomically

LENGTH = 64  # characters in a batch's row
TEST_ROWS = 20


class TruncatedBackpropagation(training.Callback):
    """The step of `fit`: starts from the state after the batch before, detached from its graph."""

    def __init__(self, clip_grad_norm: float):
        self.clip_grad_norm = clip_grad_norm
        self.state: Any = None

    def on_epoch_start(self, run: training.Run) -> None:
        self.state = None

    def __call__(
        self, model: nn.Module, optimizer: optim.Optimizer, inputs: list[Tensor], target: Tensor
    ) -> dict[str, Tensor]:
        optimizer.zero_grad()
        logits, state = model(*inputs, self.state)  # (N, T, classes)
        self.state = tuple(part.detach() for part in state)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), self.clip_grad_norm)
        optimizer.step()
        return {"loss": loss.detach()}


def rows_of(text: data.TextDataset, rows: int) -> data.Subset:
    """The pieces of a text in such an order that row r of every batch goes on where it ended in the batch before."""
    length = len(text) // rows  # pieces in a row
    return data.Subset(text, np.arange(rows * length).reshape(rows, length).T.ravel())


def loss_on(model: models.CharLSTM, text: data.TextDataset) -> float:
    """The mean of -log p(next character) over the text, in nats, read in TEST_ROWS rows with the state carried on."""
    total, count, state = 0.0, 0, None
    with nn.utils.evaluation_mode(model):
        for x, y in data.DataLoader(rows_of(text, TEST_ROWS), TEST_ROWS):
            logits, state = model(x, state)
            total += float(F.cross_entropy(logits.flatten(0, 1), y.flatten())) * y.numel()
            count += y.numel()
    return total / count


def write(
    model: models.CharLSTM, text: data.TextDataset, start: str, length: int, temperature: float = 0.7, seed: int = 0
) -> str:
    """`start` and `length` more characters, written by the network.

    Each is drawn from softmax(logits / temperature). A temperature near 0 always takes the likeliest one; the higher it
    is, the more random the text.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    if not start:
        raise ValueError("start must have at least one character")
    generator = np.random.default_rng(seed)
    ids, state = text.encode(start), None
    written = list(ids)
    with nn.utils.evaluation_mode(model):
        for _ in range(length):
            logits, state = model(Tensor(ids[None]), state)
            p = F.softmax(logits.numpy()[0, -1].astype(np.float64) / temperature, 0)
            ids = generator.choice(len(p), size=1, p=p)
            written += ids.tolist()
    return text.decode(written)


class Progress(training.Callback):
    """After every epoch, measure the loss on the test text, and write a page of the network's text in ``samples/``."""

    def __init__(self, text: data.TextDataset, folder: Path):
        self.text, self.folder = text, folder

    def on_validation_end(self, run: training.Run) -> None:
        run.values["test_loss"] = loss_on(run.model, self.text)
        self.folder.mkdir(exist_ok=True)
        page = write(run.model, self.text, "\n", length=500)
        write_atomically(self.folder / f"epoch-{run.epoch:02}.txt", page.strip().encode() + b"\n")


class CharacterModel(Recipe):
    """A network that predicts the next character, measured in nats (1 nat = 1.44 bits) a character."""

    def datasets(self, root: Path | None) -> tuple[data.TextDataset, data.TextDataset]:
        return data.shakespeare(root, sequence_length=LENGTH)

    def options_of_data(self, train_data: data.TextDataset) -> dict[str, Any]:
        return {"classes": len(train_data.classes)}

    def training_batches(self, train_data: data.TextDataset, batch_size: int) -> data.DataLoader:
        return data.DataLoader(rows_of(train_data, batch_size), batch_size)

    def make_schedule(self, optimizer: optim.Optimizer, steps: int) -> LRScheduler:
        return warm_up_and_cosine(optimizer, steps, warm_up=0.05)

    def fit_options(self, train_data: data.TextDataset) -> dict[str, Any]:
        return {"step": TruncatedBackpropagation(clip_grad_norm=1.0)}

    def callbacks(self, test_data: data.TextDataset, output: Path) -> Sequence[training.Callback]:
        return [Progress(test_data, output / "samples")]

    def info(self, test_data: data.TextDataset) -> dict[str, Any]:
        return {"characters": "".join(test_data.classes)}

    def results(self, model: nn.Module, test_data: data.TextDataset, history: dict[str, list]) -> dict[str, Any]:
        sample = write(model, test_data, "\n", length=500)
        return {"test_loss": history["test_loss"][-1], "train_loss": history["train_loss"][-1], "sample": sample}

    def figures(self, model: nn.Module, test_data: data.TextDataset, history: dict[str, list]) -> dict[str, Any]:
        return {"curves.png": visualize.learning_curves(history, title=f"{self.name}: nats a character")}

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        _, test = self.datasets(root)
        return {"test_loss": loss_on(model, test), "sample": write(model, test, "\n", length=500)}


RECIPE = CharacterModel(
    name="char-lstm",
    task="next character",
    dataset="tiny Shakespeare",
    network="char_lstm",
    network_options={"hidden_size": 384, "dropout": 0.5},
    lr=0.005,
    batch_size=50,
    epochs=10,
    expected="loss 1.52 nats a character (seed 0)",
    minutes=2,
)
