"""Small training programs as people write them for PyTorch, with other weights than PyTorch's own draws: same numbers.

Every program is written once, for both libraries: `L` is minidl or torch. Each trains for some steps, so that a
gradient that differs anywhere shows in what follows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minidl
from minidl import Tensor

torch = pytest.importorskip("torch")

from tests.torch_calls import outputs  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def draw(L: Any, *shape: int, seed: int = 0) -> Any:
    return L.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def integers(L: Any, high: int, *shape: int, seed: int = 0) -> Any:
    return L.from_numpy(np.random.default_rng(seed).integers(0, high, shape))


def same(L: Any, model: Any) -> Any:
    """The model in float64, with weights that do not depend on the library."""
    model.double()
    with L.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(draw(L, *parameter.shape, seed=i) * 0.3)
    return model


def train(optimizer: Any, loss: Any, steps: int = 3) -> list[Any]:
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        losses.append(loss(step))
        losses[-1].backward()
        optimizer.step()
    return losses


def variational_autoencoder(L):
    nn, F = L.nn, L.nn.functional
    encoder, decoder = same(L, nn.Linear(6, 8)), same(L, nn.Linear(4, 6))
    x = L.sigmoid(draw(L, 5, 6))

    def loss(step):
        mu, logvar = encoder(x).chunk(2, -1)
        z = mu + L.exp(logvar / 2) * draw(L, 5, 4, seed=step)
        missed = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
        divergence = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()
        return (missed + divergence) / 5

    optimizer = L.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    return train(optimizer, loss)


def policy_gradient(L):
    policy, states = same(L, L.nn.Linear(4, 3)), draw(L, 6, 4)
    returns = draw(L, 6, seed=9)
    returns = (returns - returns.mean()) / (returns.std() + 1e-7)

    def loss(step):
        log_p = L.log_softmax(policy(states), dim=1)
        chosen = log_p.gather(1, integers(L, 3, 6, seed=step).unsqueeze(1)).squeeze(1)
        ratio = (chosen - chosen.detach()).exp()
        clipped = ratio.clamp(0.8, 1.2)
        entropy = -(log_p.exp() * log_p).sum(dim=1)
        return -L.min(ratio * returns, clipped * returns).mean() - 0.01 * entropy.mean()

    return train(L.optim.RMSprop(policy.parameters(), lr=1e-2), loss)


def mixture_density_network(L):
    F = L.nn.functional
    net, x, y = same(L, L.nn.Linear(3, 12)), draw(L, 7, 3), draw(L, 7, seed=1)

    def loss(step):
        logits, mu, raw = net(x).view(7, 3, 4).unbind(1)
        var = F.softplus(raw) + 1e-3
        each = -F.gaussian_nll_loss(mu, y.unsqueeze(1).expand(-1, 4), var, full=True, reduction="none")
        return -L.logsumexp(F.log_softmax(logits, dim=1) + each, dim=1).mean()

    return train(L.optim.AdamW(net.parameters(), lr=1e-2), loss)


def message_passing(L):
    edges, nodes = integers(L, 5, 2, 12), draw(L, 5, 3)
    update = same(L, L.nn.Linear(9, 2))

    def loss(step):
        source, target = edges
        messages, index = nodes[source], target.view(-1, 1).expand(-1, 3)
        empty = L.zeros(5, 3, dtype=L.float64)
        parts = [empty.scatter_reduce(0, index, messages, kind, include_self=False) for kind in ("mean", "amax", "sum")]
        degree = L.zeros(5, dtype=L.int64).index_put_((target,), L.ones(12, dtype=L.int64), accumulate=True)
        return L.nn.functional.cross_entropy(update(L.cat(parts, 1)), degree % 2)

    return train(L.optim.SGD(update.parameters(), lr=0.1, momentum=0.9), loss)


def tagging_of_packed_sentences(L):
    nn, rnn = L.nn, L.nn.utils.rnn
    lengths = [3, 5, 1]
    words = rnn.pad_sequence([integers(L, 9, n, seed=n) + 1 for n in lengths], batch_first=True)
    tags = rnn.pad_sequence([integers(L, 4, n, seed=n + 7) for n in lengths], batch_first=True, padding_value=-1)
    model = nn.ModuleDict({
        "words": nn.Embedding(10, 4, padding_idx=0),
        "lstm": nn.LSTM(4, 3, num_layers=2, batch_first=True, bidirectional=True),
        "tags": nn.Linear(6, 4),
    })  # fmt: skip
    same(L, model)

    def loss(step):
        packed = rnn.pack_padded_sequence(model["words"](words), L.tensor(lengths), True, enforce_sorted=False)
        hidden, (h, _) = model["lstm"](packed)
        hidden, _ = rnn.pad_packed_sequence(hidden, batch_first=True)
        scores = model["tags"](hidden).flatten(0, 1)
        return L.nn.functional.cross_entropy(scores, tags.flatten(), ignore_index=-1) + 0.1 * (h * h).mean()

    return train(L.optim.Adam(model.parameters(), lr=1e-2), loss)


def critic_of_a_gan(L):
    """With a penalty on the gradient by the input."""
    nn = L.nn
    convolution = nn.Conv2d(1, 2, 3, stride=2, padding=1)
    critic = same(L, nn.Sequential(convolution, nn.CELU(), nn.Flatten(), nn.Linear(8, 1)))
    real, made = draw(L, 4, 1, 4, 4), draw(L, 4, 1, 4, 4, seed=1)

    def loss(step):
        between = (0.3 * real + 0.7 * made).requires_grad_()
        (slope,) = L.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = ((slope.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
        return critic(made).mean() - critic(real).mean() + 10 * penalty

    return train(L.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9)), loss)


def warm_restarts(L):
    nn, schedules = L.nn, L.optim.lr_scheduler
    model = same(L, nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Softshrink(0.2), nn.Linear(6, 1)))
    x, y = draw(L, 12, 4), draw(L, 12, 1, seed=2)
    optimizer = L.optim.SGD(model.parameters(), lr=0.1)
    warm, fall = schedules.ConstantLR(optimizer, 0.1, 2), schedules.CosineAnnealingWarmRestarts(optimizer, 3)
    schedule = schedules.SequentialLR(optimizer, [warm, fall], [2])
    losses = []
    for _ in range(8):
        losses += train(optimizer, lambda step: L.nn.functional.huber_loss(model(x), y), 2)
        schedule.step()
    return [*losses, L.tensor(schedule.get_last_lr())]


def metric_learning(L):
    nn, F = L.nn, L.nn.functional
    net = same(L, nn.Sequential(nn.Linear(5, 4), nn.Tanhshrink(), nn.Linear(4, 3)))
    x, labels, bilinear = draw(L, 6, 5), integers(L, 2, 6), same(L, nn.Bilinear(3, 3, 2))
    distance = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: 1 - F.cosine_similarity(a, b), swap=True)

    def loss(step):
        z = F.normalize(net(x), dim=1)
        anchor, positive, negative = z.tensor_split(3)
        pairs = F.hinge_embedding_loss(F.pairwise_distance(z, z.roll(1, 0)), labels * 2 - 1, margin=0.5)
        scores = bilinear(z, z.flipud())
        margins = F.multi_margin_loss(scores, labels) + F.soft_margin_loss(scores[:, 0], labels.double() * 2 - 1)
        spread = (L.corrcoef(z.t()) - L.eye(3, dtype=L.float64)).square().sum() + L.trapezoid(z, dim=0).square().mean()
        return (
            distance(anchor, positive, negative) + pairs + margins + 0.1 * spread + L.hypot(z[0], z[1]).sum() / math.pi
        )

    return train(L.optim.Adagrad([*net.parameters(), *bilinear.parameters()], lr=0.05), loss)


PROGRAMS = [
    variational_autoencoder, policy_gradient, mixture_density_network, message_passing, tagging_of_packed_sentences,
    critic_of_a_gan, warm_restarts, metric_learning,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_program(program):
    got, expected = outputs(program(minidl), Tensor), outputs(program(torch), torch.Tensor)
    assert len(got) == len(expected) > 2
    for number, (y, value) in enumerate(zip(got, expected)):
        np.testing.assert_allclose(y.data, value.detach().numpy(), rtol=1e-7, atol=1e-9, err_msg=f"result {number}")


def test_the_first_lines_of_most_programs():
    import minidl.nn.functional as F
    from minidl.nn import functional
    from minidl.nn.utils.rnn import pad_sequence
    from minidl.optim.lr_scheduler import StepLR

    assert F is functional is minidl.functional and callable(pad_sequence) and callable(StepLR)
