"""Optimizers, one file each, with the formula in the class docstring; schedules of the learning rate; penalties."""

from minidl.optim import lr_scheduler
from minidl.optim.adagrad import Adagrad
from minidl.optim.adam import Adam
from minidl.optim.adamw import AdamW
from minidl.optim.optimizer import Optimizer
from minidl.optim.penalties import L1, L2
from minidl.optim.rmsprop import RMSprop
from minidl.optim.sgd import SGD

__all__ = ["Adagrad", "Adam", "AdamW", "L1", "L2", "Optimizer", "RMSprop", "SGD", "lr_scheduler"]
