"""What programs written for other libraries give to fit, evaluate and predict: it is taken, or named in the error."""

import re

import numpy as np
import pytest

import minidl
from minidl import data, nn, optim, training
from minidl import functional as F

x = np.random.default_rng(0).standard_normal((20, 3)).astype("float32")
labels = (x[:, 0] > 0).astype("int64")
samples = list(zip(x, labels.tolist()))


def trained(given, outputs=2, **options):
    """A model, and the history of its training."""
    minidl.manual_seed(0)
    model = nn.Linear(3, outputs)
    history = training.fit(model, given, optimizer=optim.SGD(model.parameters(), lr=0.1), batch_size=8, **options)
    return model, history


def test_a_list_of_samples_is_a_dataset():
    model, history = trained(samples)
    same_model, same_history = trained((x, labels))
    assert history["train_loss"] == same_history["train_loss"]
    assert model.weight.tolist() == same_model.weight.tolist()
    assert training.evaluate(model, samples) == training.evaluate(model, (x, labels))
    np.testing.assert_array_equal(training.predict(model, samples).data, training.predict(model, x).data)
    assert "validation_loss" in trained(samples, validation_split=0.2)[1]


class Table:
    """As a table of pandas: it gives its array when asked, and table[0] is the column that is named 0."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)

    def __len__(self):
        return len(self.array)

    def __getitem__(self, name):
        raise KeyError(name)


class Column(Table):
    """As a column of pandas, which has a dtype and takes part in NumPy's functions."""

    @property
    def dtype(self):
        return self.array.dtype

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        raise KeyError(ufunc.__name__)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tables_and_columns_are_arrays(dtype):
    table, column = Table(x.astype(dtype)), Column(labels)
    model, history = trained((table, column))
    assert history["train_loss"] == trained((x, labels))[1]["train_loss"]
    np.testing.assert_array_equal(training.predict(model, table).data, training.predict(model, x).data)
    assert minidl.tensor(column).tolist() == labels.tolist() and minidl.tensor(column).dtype == labels.dtype
    batches = list(data.DataLoader(data.TensorDataset(x, column), batch_size=20))
    assert batches[0][1].tolist() == labels.tolist()


@pytest.mark.parametrize("inputs", [list(x), x.tolist(), []], ids=["arrays", "numbers", "none"])
def test_a_list_of_inputs_is_not_taken_for_an_input_of_many_parts(inputs):
    with pytest.raises(TypeError, match=r"data must be an array, .* got a list; .* np.stack\(data\)"):
        training.predict(nn.Linear(3, 2), inputs)


def misses(output, target):
    return (output.argmax(1) != target).float().mean()


def test_a_metric_alone_is_a_list_of_one():
    assert list(trained((x, labels), metrics=misses)[1])[:3] == ["epoch", "train_loss", "train_misses"]
    assert list(training.evaluate(nn.Linear(3, 2), (x, labels), metrics=misses)) == ["loss", "misses"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"callbacks": training.ProgressBar()}, "callbacks must be a list, got one ProgressBar; write callbacks=[...]"),
        ({"penalties": optim.L2(0.1)}, "penalties must be a list, got one L2; write penalties=[...]"),
        ({"callbacks": [np.exp]}, "such as ProgressBar() or LearningRateSchedule(schedule), got <ufunc 'exp'>"),
    ],
)
def test_what_fit_refuses(options, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        trained((x, labels), **options)


def test_a_loss_is_no_name_in_an_evaluation_either():
    with pytest.raises(TypeError, match="loss must be a function, such as .*, got 'mse'"):
        training.evaluate(nn.Linear(3, 2), (x, labels), loss="mse")


@pytest.mark.parametrize("target", [x[:, :1], labels])
def test_the_cross_entropy_of_one_class_is_refused(target):
    """It is 0 whatever the output: a regression without its loss looked learned from the start."""
    with pytest.raises(ValueError, match=r"one class, got shape \(8, 1\); for numbers write loss=F.mse_loss, for yes"):
        trained((x, target), outputs=1)
    with pytest.raises(ValueError, match=r"one class, got shape \(20, 1\)"):
        training.evaluate(nn.Linear(3, 1), (x, target))
    assert trained((x, x[:, :1]), outputs=1, loss=F.mse_loss)[1]["train_loss"][0] > 0
