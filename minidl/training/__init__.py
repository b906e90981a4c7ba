"""Training: the loop, callbacks, evaluation and checkpoints."""

from minidl.training.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    Evaluation,
    JSONLogger,
    ProgressBar,
)
from minidl.training.checkpoint import SavedRun, load_checkpoint, save_checkpoint
from minidl.training.class_weights import balanced_class_weights
from minidl.training.evaluation import evaluate, predict
from minidl.training.loop import Run, fit, train_step
from minidl.training.pretrained import load_pretrained
from minidl.training.schedule import LearningRateSchedule
from minidl.training.tensorboard import TensorBoard

__all__ = [
    "CSVLogger", "Callback", "Checkpoint", "EarlyStopping", "Evaluation", "JSONLogger", "LearningRateSchedule",
    "ProgressBar", "Run", "SavedRun", "TensorBoard", "balanced_class_weights", "evaluate", "fit", "load_checkpoint",
    "load_pretrained", "predict", "save_checkpoint", "train_step",
]  # fmt: skip
