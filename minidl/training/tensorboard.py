"""The history as curves in TensorBoard, through the package tensorboardX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.training.callbacks import Callback

if TYPE_CHECKING:
    from minidl.training.loop import Run


class TensorBoard(Callback):
    """Write every measure of the history as a curve over the epochs; ``tensorboard --logdir FOLDER`` shows them.

    The measure ``train_loss`` becomes the curve ``loss/train``, so that TensorBoard shows it beside ``loss/test``.

    Parameters
    ----------
    folder : path
        Of one run; folders of several runs side by side are compared.

    Raises
    ------
    ImportError
        Where tensorboardX is not installed.
    """

    def __init__(self, folder: Path | str):
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "training.TensorBoard needs tensorboardX, which is not installed: pip install tensorboardX"
            ) from error
        self.folder = Path(folder)
        self._make_writer = SummaryWriter
        self.writer: Any = None

    def on_fit_start(self, run: Run) -> None:
        # purge_step: of a run that goes on from a checkpoint, TensorBoard forgets what came after it
        self.writer = self._make_writer(str(self.folder), purge_step=run.epoch + 1)

    def on_epoch_end(self, run: Run) -> None:
        for name, values in run.history.items():
            part, _, measure = name.partition("_")
            tag = f"{measure}/{part}" if part in ("train", "validation", "test") else name
            self.writer.add_scalar(tag, values[-1], run.epoch)
        self.writer.flush()

    def on_fit_end(self, run: Run) -> None:
        self.writer.close()
