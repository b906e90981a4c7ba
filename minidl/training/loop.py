"""fit: the training loop. All learning is in `train_step`; the rest is bookkeeping."""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from minidl import functional as F
from minidl.autograd import Tensor
from minidl.nn import Module, utils
from minidl.optim import Optimizer
from minidl.training.batches import as_loader, device_of_model, inputs_and_target, split_validation
from minidl.training.callbacks import Callback
from minidl.training.evaluation import check_loss, cost_of, evaluate
from minidl.training.measures import Measures, metric_values, named_metrics
from minidl.training.schedule import LearningRateSchedule

Loss = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[Module, Optimizer, list[Tensor], Tensor], dict[str, Any]]
History = dict[str, list[float]]


@dataclass
class Run:
    """A training run as its callbacks see it."""

    model: Module
    optimizer: Optimizer
    epochs: int  # to train in all
    samples: int | None  # in an epoch; None where a batch_sampler decides
    batches: int  # in an epoch
    history: History  # of every measure, one value for each epoch that is done
    epoch: int = 0  # that is running, counted from 1
    samples_done: int = 0  # in this epoch
    measures: Measures | None = None  # of this epoch so far
    values: dict[str, float] = field(default_factory=dict)  # of this epoch at its end; a callback may add some
    stop: bool = False  # a callback sets it to end the training after this epoch


def train_step(
    model: Module,
    optimizer: Optimizer,
    loss: Loss,
    penalties: Iterable[Callable],
    inputs: list[Tensor],
    target: Tensor,
    clip_grad_norm: float | None = None,
) -> tuple[Tensor, Tensor]:
    """One gradient step on the loss of one batch; returns the outputs and the loss (without penalties).

    Examples
    --------
    >>> import minidl
    >>> from minidl import functional as F, nn, optim, training
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> x, y = minidl.tensor([[1.0, 2.0]]), minidl.tensor([[3.0]])
    >>> losses = [training.train_step(model, optimizer, F.mse_loss, [], [x], y)[1].item() for _ in range(2)]
    >>> losses[1] < losses[0]
    True
    """
    optimizer.zero_grad()
    output = model(*inputs)
    if not isinstance(output, Tensor):
        raise TypeError(
            f"model must return one Tensor, got {type(output).__name__}; wrap it in a module that returns what the "
            "loss needs, or give fit a step of your own"
        )
    cost = cost_of(loss, output, target)
    if not isinstance(cost, Tensor):
        raise TypeError(f"loss must return a Tensor, as those of functional do, got {type(cost).__name__}")
    objective = cost
    for penalty in penalties:
        objective = objective + penalty(model)
    objective.backward()
    if clip_grad_norm is not None:
        utils.clip_grad_norm_(model.parameters(), clip_grad_norm)
    optimizer.step()
    return output.detach(), cost.detach()


def fit(
    model: Module,
    data: Any,
    *,
    optimizer: Optimizer,
    loss: Loss = F.cross_entropy,
    step: Step | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    validation_data: Any = None,
    validation_split: float = 0.0,
    validation_seed: int = 0,
    penalties: Iterable[Callable[[Module], Tensor]] = (),
    clip_grad_norm: float | None = None,
    metrics: Any = (),
    callbacks: Iterable[Callback] = (),
    shuffle: bool = True,
    drop_last: bool = False,
    history: History | None = None,
) -> History:
    """Train a model.

    Every epoch goes once through the data; every batch makes one step of the optimizer on

        mean loss of the batch + sum of the penalties

    Parameters
    ----------
    model : Module
        Changed in place; batches are moved to the device of its parameters. It must return one Tensor: wrap one that
        returns more, such as an ``nn.LSTM``, in a module that returns what the loss needs.
    data : Dataset, DataLoader or tuple of arrays
        Samples (x, ..., target): the model is called with all but the last. A list of samples will do, and tables and
        columns of pandas for arrays. A DataLoader is used as it is; `batch_size`, `shuffle` and `drop_last` are for the
        others.
    optimizer : Optimizer
        Made with ``model.parameters()``.
    loss : callable
        ``loss(output, target)``, a mean over the batch; cross-entropy unless given. For classes of unequal size,
        ``nn.CrossEntropyLoss(weight=training.balanced_class_weights(labels))``.
    step : callable, optional
        Replaces `train_step`, for example to train the two networks of a GAN:
        ``step(model, optimizer, inputs, target)`` changes the weights and returns means over the batch by name, as
        ``{"generator_loss": ..., "discriminator_loss": ...}``. `loss` and `metrics` are then used for validation only.
        A step that is also a Callback gets the events, before the other callbacks.
    epochs : int
        How many in total, including those of `history`.
    batch_size : int
    validation_data : Dataset, DataLoader or tuple of arrays, optional
        Evaluated after every epoch.
    validation_split : float
        Or the fraction of `data` to set aside for validation, drawn with `validation_seed`.
    penalties : sequence of callables
        ``optim.L1(lam)``, ``optim.L2(lam)``, or functions of the model. The losses in the history are without them.
    clip_grad_norm : float, optional
        The largest norm of the gradient of all parameters together; a larger gradient is scaled down to it.
    metrics : sequence or dict
        ``"accuracy"``, and functions of (output, target) that give a mean over the batch.
    callbacks : sequence of Callback
        Called in this order.
    shuffle : bool
        A new random order every epoch, from the stream "shuffling".
    drop_last : bool
        Leave out a last batch smaller than `batch_size`.
    history : dict, optional
        Of the epochs done before, from a checkpoint; training goes on after them.

    Returns
    -------
    dict of list
        ``epoch train_loss train_<metric> validation_loss validation_<metric> seconds samples_per_second``, one value
        for each epoch, NaN where it was not measured. Training values are means over an epoch in which the model
        changes; `seconds` do not include validation.

    Raises
    ------
    TypeError, ValueError
        Before the first step: arguments that do not fit, such as an optimizer that holds no parameter of the model.
    FloatingPointError
        When the loss of an epoch, or a weight after it, is not finite.

    Examples
    --------
    >>> import numpy as np, minidl
    >>> from minidl import nn, optim, training
    >>> x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    >>> y = (x[:, 0] > 0).astype("int64")
    >>> model = nn.Linear(1, 2)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.5)
    >>> history = training.fit(model, (x, y), optimizer=optimizer, epochs=20, metrics=["accuracy"])
    >>> history["train_accuracy"][-1] > 0.9
    True
    """
    penalties, callbacks = _listed("penalties", penalties), _listed("callbacks", callbacks)
    _check_arguments(model, optimizer, loss, step, epochs, penalties, clip_grad_norm, callbacks)
    if validation_split:
        if validation_data is not None:
            raise ValueError("give validation_data or validation_split, not both")
        data, validation_data = split_validation(data, validation_split, validation_seed)
    loader = as_loader(data, batch_size, shuffle=shuffle, drop_last=drop_last)
    metrics = named_metrics(metrics)
    if step is None:

        def step(model: Module, optimizer: Optimizer, inputs: list[Tensor], target: Tensor) -> dict[str, Any]:
            output, cost = train_step(model, optimizer, loss, penalties, inputs, target, clip_grad_norm)
            return {"loss": cost} | metric_values(metrics, output, target)

    elif isinstance(step, Callback):
        callbacks.insert(0, step)

    device = device_of_model(model)
    history = {name: list(values) for name, values in (history or {}).items()}
    run = Run(model, optimizer, epochs, loader.samples, len(loader), history)

    def tell(event: str) -> None:
        for callback in callbacks:
            getattr(callback, event)(run)

    run.epoch = len(run.history.get("epoch", ()))
    with ExitStack() as ends:  # however training ends, each callback that has begun is told
        for callback in callbacks:
            callback.on_fit_start(run)
            ends.callback(callback.on_fit_end, run)
        while run.epoch < epochs and not run.stop:
            run.epoch += 1
            run.samples_done, run.measures = 0, Measures()
            tell("on_epoch_start")
            model.train()
            start = time.perf_counter()
            for batch in loader:
                inputs, target = inputs_and_target(batch, device)
                run.measures.add(step(model, optimizer, inputs, target), len(target))
                run.samples_done += len(target)
                tell("on_batch_end")
            run.values = run.measures.values("train_")
            seconds = time.perf_counter() - start
            check_finite(run)
            if validation_data is not None:
                measured = evaluate(model, validation_data, loss=loss, metrics=metrics)
                run.values |= {f"validation_{name}": value for name, value in measured.items()}
            run.values |= {"seconds": seconds, "samples_per_second": run.samples_done / seconds}
            tell("on_validation_end")
            values = {"epoch": run.epoch} | run.values
            for name in run.history | values:
                run.history.setdefault(name, [math.nan] * (run.epoch - 1)).append(values.get(name, math.nan))
            tell("on_epoch_end")
    return run.history


def _listed(name: str, values: Any) -> list[Any]:
    if not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, got one {type(values).__name__}; write {name}=[...]")
    return list(values)


def _check_arguments(
    model: Module,
    optimizer: Any,
    loss: Any,
    step: Step | None,
    epochs: Any,
    penalties: list[Callable],
    clip_grad_norm: float | None,
    callbacks: list[Any],
) -> None:
    """Raise what is wrong with the arguments of `fit`."""
    if not isinstance(epochs, numbers.Integral):
        raise TypeError(f"epochs must be an integer, got {epochs!r}")
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    check_loss(loss)
    if isinstance(optimizer, type) or not hasattr(optimizer, "step"):
        raise TypeError(f"optimizer must be an instance, such as optim.SGD(model.parameters()), got {optimizer!r}")
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not any(id(parameter) in held for parameter in model.parameters()):
        raise ValueError("optimizer holds no parameter of the model: make it with model.parameters() of this model")
    if clip_grad_norm is not None and not clip_grad_norm > 0:
        raise ValueError(f"clip_grad_norm must be above 0, got {clip_grad_norm}")
    if step is not None and (penalties or clip_grad_norm is not None):
        raise ValueError("step replaces penalties and clip_grad_norm: apply them inside it, and give step alone")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(
                "callbacks must hold instances of Callback, such as ProgressBar() or LearningRateSchedule(schedule), "
                f"got {callback!r}"
            )
    if sum(isinstance(callback, LearningRateSchedule) for callback in callbacks) > 1:
        raise ValueError(
            "callbacks must hold one LearningRateSchedule at most, for each begins with the initial learning rate; "
            "two schedules at once are a ChainedScheduler, one after the other a SequentialLR, both of "
            "optim.lr_scheduler"
        )


def check_finite(run: Run) -> None:
    """End a training that has diverged, by its loss or its weights, before anything of this epoch is saved."""
    advice = f"in epoch {run.epoch}: try a smaller learning rate, and see that the data hold no NaN"
    for name, value in run.values.items():
        if name.endswith("loss") and not math.isfinite(value):
            raise FloatingPointError(f"the {name.removeprefix('train_').replace('_', ' ')} became {value} {advice}")
    for name, parameter in run.model.named_parameters():
        if parameter.requires_grad and not F.isfinite(parameter.data).all():
            raise FloatingPointError(f"{name} became infinite or NaN {advice}")
