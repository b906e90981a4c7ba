"""Training: the loop, what watches it, and what it leaves on disk."""

from minidl.training.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    Evaluation,
    JSONLogger,
    LearningRateSchedule,
    ProgressBar,
)
from minidl.training.checkpoint import SavedRun, load_checkpoint, save_checkpoint
from minidl.training.evaluation import evaluate, predict
from minidl.training.loop import Run, fit, train_step

__all__ = [
    "CSVLogger", "Callback", "Checkpoint", "EarlyStopping", "Evaluation", "JSONLogger", "LearningRateSchedule",
    "ProgressBar", "Run", "SavedRun", "evaluate", "fit", "load_checkpoint", "predict", "save_checkpoint", "train_step",
]  # fmt: skip
