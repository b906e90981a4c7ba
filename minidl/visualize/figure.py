"""What all drawing functions share: a figure of panels, one set of colours, and saving."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

from minidl.serialization import write_atomically

Figure = Any  # matplotlib.figure.Figure, for those who read signatures

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def save(figure: Figure, path: Path | str, dpi: int = 150) -> None:
    """Write a figure to a file, in the format of its extension: .png, .pdf, .svg or .jpg."""
    suffix = Path(path).suffix
    if not suffix:
        raise ValueError(f"path must end in the format of the picture, such as .png, got {path}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=dpi, facecolor="white")
    write_atomically(path, buffer.getbuffer())


def make_panels(rows: int, columns: int, size: tuple[float, float], title: str) -> tuple[Figure, list[Any]]:
    """A figure of rows x columns axes of `size` inches each, and those axes in reading order."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib, which is not installed: pip install matplotlib") from error
    width = max(size[0] * columns, 0.062 * len(title), 2.0)  # a title of 9 points takes some 0.06 inches a letter
    figure = Figure(figsize=(width, size[1] * rows + (0.4 if title else 0)), layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=9)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)
