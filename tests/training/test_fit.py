"""fit, evaluate and predict: the numbers they give, on small networks and data made here."""

import time

import numpy as np
import pytest

import minidl
from minidl import functional as F
from minidl import nn, optim, training
from minidl.data import DataLoader, TensorDataset


@pytest.fixture
def points():
    """150 points in a plane and the side of a line that each is on."""
    x = np.random.default_rng(0).standard_normal((150, 2)).astype(np.float32)
    return x, (x @ [1.0, -2.0] > 0).astype(np.int64)


def classifier(seed: int = 0) -> nn.Module:
    minidl.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))


def sgd(model: nn.Module, lr: float = 0.1) -> optim.Optimizer:
    return optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def weights(model: nn.Module) -> np.ndarray:
    return np.concatenate([parameter.data.ravel() for parameter in model.parameters()])


def test_a_step_is_that_of_the_formulas(points):
    x, y = points
    model, by_hand = classifier(), classifier()
    penalty = optim.L2(0.3)
    training.fit(
        model,
        (x, y),
        optimizer=optim.SGD(model.parameters(), lr=0.5),
        batch_size=150,
        shuffle=False,
        penalties=iter([penalty]),  # which can be read once
        epochs=2,
    )
    for _ in range(2):
        # w = w - lr * d(mean loss + lam/2 * sum w^2)/dw
        by_hand.zero_grad()
        F.cross_entropy(by_hand(minidl.tensor(x)), minidl.tensor(y)).backward()
        for parameter in by_hand.parameters():
            decay = 0.3 * parameter.data if parameter.ndim >= 2 else 0
            parameter.data -= 0.5 * (parameter.grad.data + decay)
    np.testing.assert_allclose(weights(model), weights(by_hand), rtol=1e-5, atol=1e-7)


def test_it_learns_and_the_history_says_so(points):
    model, start = classifier(), time.perf_counter()
    history = training.fit(
        model, points, optimizer=sgd(model), epochs=20, batch_size=16, validation_split=0.2, metrics=["accuracy"]
    )
    assert 0 < sum(history["seconds"]) < time.perf_counter() - start
    speeds = [120 / seconds for seconds in history["seconds"]]
    assert history["samples_per_second"] == pytest.approx(speeds)
    assert history["train_accuracy"][-1] > 0.95 and history["validation_accuracy"][-1] > 0.9
    assert history["epoch"] == list(range(1, 21))
    assert set(history) == {
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds",
        "samples_per_second",
    }  # fmt: skip
    assert {len(values) for values in history.values()} == {20}


def test_validation_measures_the_metrics_that_fit_is_given(points):
    model = classifier()
    metrics = {"errors": lambda output, target: (output.data.argmax(1) != target.data).mean()}
    history = training.fit(model, points, optimizer=sgd(model), validation_data=points, metrics=metrics)
    assert {name for name in history if name.startswith("validation")} == {"validation_loss", "validation_errors"}
    assert history["validation_errors"] == [pytest.approx(1 - training.evaluate(model, points)["accuracy"])]


def test_means_weight_a_smaller_last_batch_by_its_samples(points):
    x, y = points
    model = classifier()
    with_rest = training.evaluate(model, (x, y), batch_size=64)  # 64 + 64 + 22
    logits = model(minidl.tensor(x))
    assert with_rest["loss"] == pytest.approx(F.cross_entropy(logits, minidl.tensor(y)).item(), rel=1e-6)
    assert with_rest == training.evaluate(model, (x, y), batch_size=64, metrics="accuracy")
    assert with_rest["accuracy"] == pytest.approx((logits.data.argmax(1) == y).mean(), rel=1e-12)


def test_training_losses_are_means_over_the_epoch(points):
    """With a learning rate of 0 the model stands still, so the mean over the epoch is that of an evaluation."""
    model = classifier()
    history = training.fit(
        model,
        points,
        optimizer=optim.SGD(model.parameters(), lr=0.0),
        batch_size=64,
        metrics=["accuracy", F.cross_entropy],
        penalties=[optim.L1(1.0)],
    )
    expected = training.evaluate(model, points)
    assert history["train_loss"][0] == pytest.approx(expected["loss"], rel=1e-6)
    assert history["train_cross_entropy"] == history["train_loss"]
    assert history["train_accuracy"][0] == pytest.approx(expected["accuracy"])


def test_arrays_dataset_and_loader_are_one_and_the_same(points):
    results = []
    for make in (
        lambda: points,
        lambda: TensorDataset(*points),
        lambda: DataLoader(TensorDataset(*points), 16, shuffle=True),
    ):
        model = classifier()
        training.fit(model, make(), optimizer=sgd(model), epochs=2, batch_size=16)
        results.append(weights(model))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_the_seed_decides_everything_and_the_validation_split_its_own(points):
    def run(seed, validation_seed=0):
        model = classifier(seed)
        return training.fit(model, points, optimizer=sgd(model), validation_split=0.2, validation_seed=validation_seed)[
            "validation_loss"
        ]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert run(1, 0) != run(1, 1)


def test_validation_samples_are_not_trained_on(points):
    seen = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            seen.append((self.training, x.numpy().copy()))
            return self.linear(x)

    model = Recorder()
    training.fit(model, points, optimizer=sgd(model), validation_split=0.3)
    trained, validated = (
        {tuple(row) for mode, rows in seen if mode is wanted for row in rows} for wanted in (True, False)
    )
    assert len(trained) == 105 and len(validated) == 45 and not trained & validated


def test_drop_last_leaves_the_rest_out(points):
    model = classifier()
    sizes = []
    training.fit(
        model,
        points,
        optimizer=sgd(model),
        batch_size=64,
        drop_last=True,
        metrics={"size": lambda output, y: sizes.append(len(y)) or 0.0},
    )
    assert sizes == [64, 64]


def test_dropout_works_in_training_and_not_in_evaluation(points):
    x, y = points
    minidl.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    assert training.evaluate(model, points) == training.evaluate(model, points)
    assert model.training and model[1].training
    model.eval()
    training.fit(model, points, optimizer=sgd(model, 0.0))
    assert model.training


def test_a_frozen_part_keeps_its_evaluation_mode_through_an_evaluation(points):
    model = classifier()
    model.train()
    model[0].eval()
    training.predict(model, points[0])
    assert model.training and not model[0].training


def test_predict_gives_outputs_in_order(points):
    x, y = points
    model = classifier()
    expected = model(minidl.tensor(x)).data
    np.testing.assert_allclose(training.predict(model, x, batch_size=40).data, expected, rtol=1e-6)
    np.testing.assert_array_equal(
        training.predict(model, TensorDataset(x, y), batch_size=40).data, training.predict(model, x, batch_size=40).data
    )
    assert not training.predict(model, x).requires_grad


def test_a_model_of_two_inputs():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 1)

        def forward(self, a, b):
            return self.linear(a + b)

    a, b = np.random.default_rng(0).standard_normal((2, 40, 1)).astype(np.float32)
    model = Sum()
    history = training.fit(
        model, (a, b, 3 * (a + b)), optimizer=sgd(model, 0.05), loss=F.mse_loss, epochs=30, batch_size=10
    )
    assert history["train_loss"][-1] < 1e-3
    np.testing.assert_array_equal(training.predict(model, TensorDataset(a, b, a)).data, model(a, b).data)


def test_a_diverged_training_is_an_error(points):
    model = nn.Linear(2, 1)
    with pytest.raises(FloatingPointError, match="epoch .*smaller learning rate"), np.errstate(all="ignore"):
        training.fit(
            model,
            (points[0], points[0][:, :1]),
            optimizer=optim.SGD(model.parameters(), lr=1e6),
            loss=F.mse_loss,
            epochs=50,
        )


def test_a_metric_that_is_not_finite_does_not_end_training(points):
    model = classifier()
    metrics = {"odd": lambda output, target: np.nan, "loss_of_none": lambda output, target: np.inf}
    history = training.fit(model, points, optimizer=sgd(model), epochs=2, metrics=metrics)
    assert np.isnan(history["train_odd"]).all() and history["train_loss_of_none"] == [np.inf] * 2


def test_weights_that_diverge_in_the_last_step_are_an_error_and_are_not_kept(points, tmp_path):
    model = nn.Linear(2, 2)
    checkpoint = training.Checkpoint(tmp_path / "run.safetensors")
    with pytest.raises(FloatingPointError, match="^weight became infinite or NaN in epoch 1: try a smaller learning"):
        training.fit(
            model,
            (1e3 * points[0], points[1]),  # whose loss is a number still
            optimizer=optim.SGD(model.parameters(), lr=1e38),
            batch_size=len(points[0]),
            callbacks=[checkpoint],
        )
    assert not checkpoint.path.exists()


def test_a_frozen_parameter_may_be_infinite(points):
    model = classifier()
    model.mask = nn.Parameter(minidl.full((2,), -np.inf), requires_grad=False)
    assert len(training.fit(model, points, optimizer=sgd(model))["epoch"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"validation_split": 1.5}, "validation_split .* got 1.5"),
        ({"validation_split": 1.0}, "validation_split must be a fraction from 0 up to 1, got 1.0"),
        ({"validation_split": 0.001}, "validation_split=0.001 of 150 samples leaves"),
        ({"validation_split": 0.1, "validation_data": (np.zeros((1, 2)),)}, "not both"),
        ({"metrics": ["accurracy"]}, "got 'accurracy'"),
        ({"step": print, "clip_grad_norm": 1.0}, "step replaces penalties and clip_grad_norm"),
        ({"step": print, "penalties": [optim.L2(0.1)]}, "step replaces penalties and clip_grad_norm"),
        (
            {"batch_size": 200, "drop_last": True},
            "drop_last leaves no batch: 150 samples are fewer than batch_size=200",
        ),
    ],
)
def test_wrong_arguments_name_themselves(points, change, message):
    model = classifier()
    before = weights(model).copy()
    with pytest.raises(ValueError, match=message):
        training.fit(model, points, optimizer=sgd(model), **change)
    np.testing.assert_array_equal(weights(model), before)


def test_what_a_loss_or_a_metric_gives_is_checked(points):
    model = classifier()
    with pytest.raises(TypeError, match="loss must return a Tensor, .* got float"):
        training.fit(model, points, optimizer=sgd(model), loss=lambda output, target: 1.0)
    with pytest.raises(ValueError, match=r"all_of_it must be one number, a mean over the batch, got shape \(32, 2\)"):
        training.fit(model, points, optimizer=sgd(model), metrics={"all_of_it": lambda output, target: output})


def test_an_optimizer_of_another_model_is_refused(points):
    with pytest.raises(ValueError, match="optimizer holds no parameter of the model"):
        training.fit(classifier(), points, optimizer=sgd(classifier()))


def test_what_is_no_data_and_no_callback_is_named(points):
    model = classifier()
    with pytest.raises(TypeError, match="data must be .*, got dict"):
        training.fit(model, {"x": points[0]}, optimizer=sgd(model))
    with pytest.raises(TypeError, match="data must be .*, got set"):
        training.fit(model, {1, 2}, optimizer=sgd(model))
    with pytest.raises(TypeError, match="callbacks must hold instances of Callback, .*, got <class .*ProgressBar"):
        training.fit(model, points, optimizer=sgd(model), callbacks=[training.ProgressBar])
    with pytest.raises(TypeError, match=r"a batch must be a tuple of Tensors such as \(x, target\), got dict"):
        training.fit(model, DataLoader(TensorDataset(*points), collate_fn=lambda samples: {}), optimizer=sgd(model))


def test_a_model_that_gives_several_tensors_is_named():
    model = nn.LSTM(2, 3)
    x = np.zeros((4, 5, 2), np.float32)
    with pytest.raises(TypeError, match="model must return one Tensor, got tuple; wrap it"):
        training.fit(model, (x, x), optimizer=sgd(model), loss=lambda output, target: output[0].sum())


def test_a_loader_that_leaves_no_batch_measures_nothing_and_says_so(points):
    loader = DataLoader(TensorDataset(*points), batch_size=200, drop_last=True)
    for function in (training.evaluate, training.predict):
        with pytest.raises(ValueError, match="drop_last leaves no batch: 150 samples are fewer than batch_size=200"):
            function(classifier(), loader)


def test_samples_without_a_target(points):
    x, _ = points
    model = classifier()
    with pytest.raises(ValueError, match="samples of one part"):
        training.fit(model, (x,), optimizer=sgd(model))
    with pytest.raises(ValueError, match="samples of one part"):
        training.evaluate(model, x)

    class Rows:
        def __len__(self):
            return len(x)

        def __getitem__(self, index):
            return x[index]

    np.testing.assert_array_equal(training.predict(model, Rows()).data, training.predict(model, x).data)


def test_a_history_that_is_given_is_not_changed(points):
    model = classifier()
    before = training.fit(model, points, optimizer=sgd(model))
    after = training.fit(model, points, optimizer=sgd(model), epochs=3, history=before)
    assert len(before["epoch"]) == 1 and after["epoch"] == [1, 2, 3]
    assert after["train_loss"][0] == before["train_loss"][0]


def test_a_loader_cannot_be_split(points):
    model = classifier()
    with pytest.raises(ValueError, match="cannot split a DataLoader"):
        training.fit(model, DataLoader(TensorDataset(*points), 16), optimizer=sgd(model), validation_split=0.1)
    with pytest.raises(TypeError, match="got int"):
        training.fit(model, 3, optimizer=sgd(model))


def test_a_loader_without_a_batch_counts_the_samples_of_its_sampler(points):
    model, loader = classifier(), DataLoader(TensorDataset(*points), 16, sampler=[3, 1], drop_last=True)
    with pytest.raises(ValueError, match="no batch: 2 samples are fewer than batch_size=16"):
        training.fit(model, loader, optimizer=sgd(model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1.5}, "epochs must be an integer, got 1.5"),
        ({"loss": "mse"}, "loss must be a function.*'mse'"),
        ({"loss": nn.CrossEntropyLoss}, r"loss must be a function.*CrossEntropyLoss\(\)"),
        ({"optimizer": optim.SGD}, r"optimizer must be an instance"),
    ],
)
def test_wrong_options_are_refused_by_name(points, options, message):
    model = classifier()
    with pytest.raises(TypeError, match=message):
        training.fit(model, points, **{"optimizer": sgd(model), **options})


def test_lists_of_numbers_are_data():
    model = classifier()
    history = training.fit(model, ([[1.0, 2.0], [3.0, 4.0]], [0, 1]), optimizer=sgd(model))
    assert np.isfinite(history["train_loss"]).all()


def test_a_step_of_the_users_own_is_taken_and_its_measures_are_means():
    x = np.arange(6, dtype=np.float32)[:, None]
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    sizes = []

    def step(model, optimizer, inputs, target):
        sizes.append(len(target))
        return {"largest": inputs[0].max(), "loss": inputs[0].mean() * 0}

    history = training.fit(model, (x, x), optimizer=optimizer, step=step, batch_size=4, epochs=2, shuffle=False)
    assert sizes == [4, 2, 4, 2]
    assert history["train_largest"] == pytest.approx([(4 * 3 + 2 * 5) / 6] * 2) and history["train_loss"] == [0, 0]


def test_a_loss_of_any_name_that_is_not_finite_ends_training():
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(FloatingPointError, match="the generator loss became nan in epoch 1"):
        training.fit(
            model, (np.ones((2, 1)), np.ones(2)), optimizer=optimizer, step=lambda *_: {"generator_loss": np.nan}
        )


@pytest.mark.parametrize(
    ("options", "samples", "seen"),
    [
        ({"batch_size": 4, "sampler": [0, 1, 2] * 7}, 21, 21),  # more than the dataset has
        ({"batch_size": 4, "sampler": [0, 1, 2], "drop_last": False}, 3, 3),
        ({"batch_size": 4, "sampler": [0] * 6, "drop_last": True}, 4, 4),
        ({"batch_sampler": [[0, 1], [2]]}, None, 3),
    ],
)
def test_a_sampler_decides_how_many_samples_an_epoch_has(options, samples, seen):
    class Counts(training.Callback):
        def on_epoch_end(self, run):
            counts.append((run.samples, run.samples_done))

    counts = []
    model = nn.Linear(2, 2)
    loader = DataLoader(TensorDataset(np.ones((8, 2), "f4"), np.zeros(8, "i8")), **options)
    training.fit(model, loader, optimizer=optim.SGD(model.parameters(), lr=0.1), callbacks=[Counts()])
    assert counts == [(samples, seen)]


def test_an_empty_sampler_is_named():
    model = nn.Linear(2, 2)
    loader = DataLoader(TensorDataset(np.ones((8, 2), "f4"), np.zeros(8, "i8")), batch_size=4, sampler=[])
    with pytest.raises(ValueError, match="data gives no batch: its sampler is empty"):
        training.fit(model, loader, optimizer=optim.SGD(model.parameters(), lr=0.1))
