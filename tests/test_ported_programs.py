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


def sharpness_aware_minimization(L):
    """An optimizer of one's own around another, which has the same groups: uphill, then from there back and down."""

    class SAM(L.optim.Optimizer):
        def __init__(self, params, base, rho=0.05, **options):
            super().__init__(params, dict(rho=rho, **options))
            self.base = base(self.param_groups, **options)
            self.param_groups = self.base.param_groups

        @L.no_grad()
        def step(self, closure):
            parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            length = L.norm(L.stack([p.grad.norm(p=2) for p in parameters]), p=2)
            for p in parameters:
                self.state[p]["old"] = p.detach().clone()
                p.add_(p.grad * (self.param_groups[0]["rho"] / (length + 1e-12)))
            self.zero_grad()
            L.enable_grad()(closure)()
            for p in parameters:
                p.copy_(self.state[p]["old"])
            self.base.step()

    nn = L.nn
    model, x, y = same(L, nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))), draw(L, 8, 4), draw(L, 8, 2)
    optimizer, losses = SAM(model.parameters(), L.optim.SGD, lr=0.1, momentum=0.9), []

    def closure():
        optimizer.zero_grad()
        losses.append(nn.functional.mse_loss(model(x), y))
        losses[-1].backward()

    for _ in range(4):
        closure()
        optimizer.step(closure)
    return losses


def deep_equilibrium(L):
    """z = f(z, x) found without recording; its gradient is a fixed point too, found where the walk back comes by."""
    nn = L.nn
    inner, outer, x, y = same(L, nn.Linear(4, 4)), same(L, nn.Linear(3, 4)), draw(L, 5, 3), draw(L, 5, 4)

    def f(z):
        return L.tanh(0.5 * inner(z) + outer(x))

    def loss(step):
        z = L.zeros_like(y)
        with L.no_grad():
            for _ in range(30):
                z = f(z)
        z = f(z)
        before = z.detach().requires_grad_()
        after = f(before)

        def solve(dz):
            g = dz
            for _ in range(30):
                g = L.autograd.grad(after, before, g, retain_graph=True)[0] + dz
            return g

        z.register_hook(solve)
        return (z - y).pow(2).mean()

    return train(L.optim.Adam([*inner.parameters(), *outer.parameters()], lr=1e-2), loss)


def weight_normalization(L):
    """A hook computes the weight anew, from its length and direction, before each call."""
    nn = L.nn

    def normalize(module, inputs):
        v = module.weight_v
        length = v.flatten(1).norm(dim=1).view(-1, *[1] * (v.dim() - 1))
        module.weight = v * (module.weight_g / length)

    def weight_norm(module):
        weight = module.weight
        del module._parameters["weight"]
        module.register_parameter("weight_g", nn.Parameter(weight.detach()[:, :1] * 0 + 1))
        module.register_parameter(name="weight_v", param=nn.Parameter(weight.detach()))
        module.register_forward_pre_hook(normalize)
        return module

    layers = weight_norm(nn.Conv1d(1, 3, 1)), nn.ReLU(), nn.Flatten(), weight_norm(nn.Linear(12, 3))
    model, x = same(L, nn.Sequential(*layers)), draw(L, 6, 1, 4)
    assert sorted(model.state_dict())[:3] == ["0.bias", "0.weight_g", "0.weight_v"]
    return train(
        L.optim.SGD(model.parameters(), lr=0.1), lambda step: nn.functional.cross_entropy(model(x), integers(L, 3, 6))
    )


def mixture_of_experts(L):
    """Each row goes to the two of three networks that a gate scores highest; their outputs are added in place."""
    nn, F = L.nn, L.nn.functional
    gate, experts = same(L, nn.Linear(4, 3, bias=False)), same(L, nn.ModuleList([nn.Linear(4, 4) for _ in range(3)]))
    x, y = draw(L, 9, 4), draw(L, 9, 4, seed=1)

    def loss(step):
        weights, chosen = L.topk(F.softmax(gate(x), dim=1), 2, dim=-1)
        weights /= weights.sum(dim=-1, keepdim=True)
        result = L.zeros_like(x)
        masks = F.one_hot(chosen, num_classes=3).permute(2, 1, 0)
        for expert, mask in zip(experts, masks):
            place, row = L.where(mask)
            result.index_add_(0, row, expert(x[row]) * weights[row, place, None])
        return F.mse_loss(result, y)

    return train(L.optim.AdamW([*gate.parameters(), *experts.parameters()], lr=1e-2), loss)


def connectionist_temporal_classification(L):
    """By its recursion over log probabilities: a path stays, goes on, or skips the blank between two labels."""
    F, net, x, labels = L.nn.functional, same(L, L.nn.Linear(4, 5)), draw(L, 7, 2, 4), integers(L, 4, 2, 3) + 1

    def loss(step):
        log_p = net(x).log_softmax(-1)  # (time, batch, labels); 0 is the blank
        path = F.pad(L.stack([L.zeros_like(labels), labels], dim=-1).flatten(1), (0, 1))
        skips = F.pad(path[:, 2:] != path[:, :-2], (2, 0))
        emitted = log_p.gather(-1, path.expand(7, -1, -1))
        log_a = emitted[0].masked_fill(L.arange(7) > 1, -1e30)
        for t in range(1, 7):
            stay, go_on, skip = log_a, F.pad(log_a, (1, -1), value=-1e30), F.pad(log_a, (2, -2), value=-1e30)
            skip = L.where(skips, skip, L.full_like(skip, -1e30))
            log_a = emitted[t] + L.logsumexp(L.stack([stay, go_on, skip]), dim=0)
        return -L.logsumexp(log_a[:, -2:], dim=-1).mean()

    return train(L.optim.Adam(net.parameters(), lr=1e-2), loss)


def graph_attention(L):
    """Each node takes the mean of its neighbours, weighted by a softmax over the edges that lead to it."""
    F, nodes = L.nn.functional, draw(L, 6, 4)
    source, target = L.cat([integers(L, 6, 2, 20), L.arange(6).expand(2, -1)], dim=1)  # each node is its own neighbour
    project, score = same(L, L.nn.Linear(4, 6, bias=False)), same(L, L.nn.Linear(6, 2))

    def loss(step):
        h = project(nodes).view(6, 2, 3)  # of two heads
        logits = F.leaky_relu(score(h.flatten(1))[source] + score(h.flatten(1))[target], negative_slope=0.2)
        rows = target[:, None].expand_as(logits)
        largest = L.full((6, 2), -math.inf, dtype=L.float64).scatter_reduce(0, rows, logits.detach(), "amax")
        weights = L.exp(logits - largest[target])
        weights = weights / L.zeros(6, 2, dtype=L.float64).scatter_add(0, rows, weights)[target]
        mixed = h.new_zeros(6, 2, 3).index_add_(0, target, weights.unsqueeze(-1) * h[source])
        return F.nll_loss(F.log_softmax(F.elu(mixed).mean(dim=1), dim=-1), L.arange(6) % 3)

    return train(L.optim.Adam([*project.parameters(), *score.parameters()], lr=1e-2, weight_decay=5e-4), loss)


def vector_quantization(L):
    """A code is replaced by the nearest of a table; its gradient passes by, as if it had not been."""
    nn, F, x = L.nn, L.nn.functional, draw(L, 3, 1, 6, 6)
    encoder, table = same(L, nn.Conv2d(1, 2, 4, stride=2, padding=1)), same(L, nn.Embedding(5, 2))
    decoder, uses = same(L, nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1)), []

    def loss(step):
        z = encoder(x).permute(0, 2, 3, 1).contiguous()
        rows, codes = z.view(-1, 2), table.weight
        squares = rows.square().sum(1, keepdim=True) + codes.pow(2).sum(1) - 2 * rows @ codes.t()
        nearest = squares.argmin(dim=1)
        chosen = L.zeros(len(rows), 5, dtype=L.float64).scatter_(1, nearest.unsqueeze(1), 1) @ codes
        uses.append(L.bincount(nearest, minlength=5))
        quantized = chosen.view_as(z)
        passed = (z + (quantized - z).detach()).permute(0, 3, 1, 2)
        drawn_near = F.mse_loss(quantized, z.detach()) + 0.25 * F.mse_loss(quantized.detach(), z)
        return F.mse_loss(decoder(passed), x) / x.var() + drawn_near

    parameters = [p for module in (encoder, table, decoder) for p in module.parameters()]
    return [*train(L.optim.Adam(parameters, lr=3e-2), loss, 6), *uses]


def differential_equation(L):
    """u'' + u = 0 with u(0) = 0, u'(0) = 1: a network trained on its own second derivative."""
    nn, x = L.nn, L.linspace(0, 3, 12, dtype=L.float64).unsqueeze(-1).requires_grad_(True)
    net, start = same(L, nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 1))), x[:1]

    def slope(u, of):
        return L.autograd.grad(u, of, L.ones_like(u), create_graph=True)[0]

    def loss(step):
        u = net(x)
        at_start = net(start)
        wrong = (slope(slope(u, x), x) + u).square().mean()
        return wrong + at_start.pow(2).sum() + (slope(at_start, start) - 1).square().sum()

    return train(L.optim.Adam(net.parameters(), lr=1e-2), loss, 5)


def pruning(L):
    """The smaller half of the weights is set to 0 and kept there by hooks, through momentum and weight decay."""
    nn, F = L.nn, L.nn.functional
    model = same(L, nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)))
    weights = [module.weight for module in model if isinstance(module, (nn.Conv2d, nn.Linear))]
    least = L.quantile(L.cat([w.detach().abs().flatten() for w in weights]), 0.5)
    for w in weights:
        mask = (w.detach().abs() > least).to(w.dtype)
        with L.no_grad():
            w.mul_(mask)
        w.register_hook(lambda dw, mask=mask: dw * mask)
    optimizer = L.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2)
    losses = train(optimizer, lambda step: F.cross_entropy(model(draw(L, 5, 1, 4, 4, seed=step)), integers(L, 3, 5)), 5)
    return [*losses, *[(w == 0).sum() for w in weights]]


PROGRAMS = [
    variational_autoencoder, policy_gradient, mixture_density_network, message_passing, tagging_of_packed_sentences,
    critic_of_a_gan, warm_restarts, metric_learning, sharpness_aware_minimization, deep_equilibrium,
    weight_normalization, mixture_of_experts, connectionist_temporal_classification, graph_attention,
    vector_quantization, differential_equation, pruning,
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
