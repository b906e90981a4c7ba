"""Which parts of a picture made a classifier choose a class: three methods, from fast and rough to slow and clear.

saliency     the gradient of the class's score with respect to each pixel
Grad-CAM     where a layer has the features that raise the score
occlusion    how much the probability falls when a patch is covered

Each exists as an array (``saliency_map``) and as a figure beside the picture (``saliency``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor, enable_grad, grad, to_numpy
from minidl.visualize.figure import Figure, make_panels
from minidl.visualize.grid import draw_image
from minidl.visualize.layers import output_of


def saliency_map(model: nn.Module, picture: Any, label: int | None = None) -> np.ndarray:
    """s[i,j] = max over c of |d logits[label] / d picture[c,i,j]|.

    Parameters
    ----------
    model : Module
        A classifier: (1, C, H, W) to logits (1, K). Run in evaluation mode.
    picture : array or Tensor (C, H, W)
        As the model takes it.
    label : int, optional
        The class in question; default: the one that the model predicts.

    Returns
    -------
    array (H, W)

    Notes
    -----
    Source: Simonyan et al., Deep inside convolutional networks, 2013, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, visualize
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    >>> visualize.saliency_map(model, np.ones((1, 2, 2), "float32"), label=0).shape
    (2, 2)
    """
    x = Tensor(_picture(picture)[None], requires_grad=True)
    with nn.utils.evaluation_mode(model), enable_grad():
        score = _score(model(x), label)
    (dx,) = grad(score, x)  # (1, C, H, W)
    # s[i,j] = max_c |dx[c,i,j]|
    return np.abs(to_numpy(dx)[0]).max(0)


def grad_cam_map(model: nn.Module, layer: str, picture: Any, label: int | None = None) -> np.ndarray:
    """relu(sum_k alpha[k] * A[k]), resized to the picture; alpha[k] = mean over i, j of d logits[label] / d A[k,i,j].

    Parameters
    ----------
    model, picture, label
        As for :func:`saliency_map`.
    layer : str
        The name in ``model.named_modules()`` of the layer whose output is A, (1, K, OH, OW): the last convolution, say.

    Returns
    -------
    array (H, W)
        0 where the features do not raise the score.

    Notes
    -----
    Source: Selvaraju et al., Grad-CAM, 2017, equations 1 and 2; resized bilinearly.
    """
    picture = _picture(picture)
    x = Tensor(picture[None], requires_grad=True)  # records the layers even if their weights are frozen
    with output_of(model, layer) as seen, nn.utils.evaluation_mode(model), enable_grad():
        score = _score(model(x), label)
    (da,) = grad(score, seen[0])  # (1, K, OH, OW)
    # alpha[k] = mean_ij da[k,i,j]
    alpha = to_numpy(da).mean((2, 3), keepdims=True)
    # map = relu(sum_k alpha[k] * A[k])
    found = np.maximum((alpha * to_numpy(seen[0])).sum(1, keepdims=True), 0)  # (1, 1, OH, OW)
    return F.interpolate(found, size=picture.shape[1:], mode="bilinear")[0, 0]


def occlusion_map(
    model: nn.Module, picture: Any, label: int | None = None, *, size: int = 4, stride: int = 2, fill: float = 0.0
) -> np.ndarray:
    """How much the class's probability falls when a pixel is covered: the mean over all patches that cover it.

    fall(patch) = p(label | picture) - p(label | picture with the patch, size x size pixels, set to `fill`)

    Parameters
    ----------
    model, picture, label
        As for :func:`saliency_map`.
    size, stride : int
        Of the patches, in pixels.
    fill : float
        What a covered pixel becomes, in the picture's own scale.

    Returns
    -------
    array (H, W)
        Below 0 where covering raises the probability.

    Notes
    -----
    Source: Zeiler and Fergus, Visualizing and understanding convolutional networks, 2014, section 4.2.
    """
    picture = _picture(picture)
    _, height, width = picture.shape
    if not 1 <= size <= min(height, width) or stride < 1:
        raise ValueError(f"size must be from 1 to {min(height, width)} and stride at least 1, got {size} and {stride}")
    tops, lefts = (sorted({*range(0, side - size, stride), side - size}) for side in (height, width))
    places = [(slice(top, top + size), slice(left, left + size)) for top in tops for left in lefts]
    covered = np.repeat(picture[None], len(places) + 1, axis=0)  # the last one stays as it is
    for image, place in zip(covered, places):
        image[:, *place] = fill
    with nn.utils.evaluation_mode(model):
        logits = to_numpy(F.cat([model(Tensor(part)) for part in np.array_split(covered, -(-len(covered) // 256))]))
    label = _label(logits[-1:], label)
    p = F.softmax(logits.astype(np.float64), 1)[:, label]
    falls, times = np.zeros((2, height, width))
    for place, probability in zip(places, p):
        falls[place] += p[-1] - probability
        times[place] += 1
    return falls / np.maximum(times, 1)


def saliency(model: nn.Module, picture: Any, label: int | None = None, *, title: str = "") -> Figure:
    """A picture, and :func:`saliency_map` of it."""
    return _beside(picture, saliency_map(model, picture, label), "|slope of the score|", title)


def grad_cam(model: nn.Module, layer: str, picture: Any, label: int | None = None, *, title: str = "") -> Figure:
    """A picture, and :func:`grad_cam_map` over it."""
    return _beside(picture, grad_cam_map(model, layer, picture, label), f"Grad-CAM of {layer}", title)


def occlusion(model: nn.Module, picture: Any, label: int | None = None, *, title: str = "", **options: Any) -> Figure:
    """A picture, and :func:`occlusion_map` over it."""
    return _beside(picture, occlusion_map(model, picture, label, **options), "fall of the probability", title)


def _picture(picture: Any) -> np.ndarray:
    picture = to_numpy(picture)
    if picture.ndim != 3 or picture.dtype.kind != "f":
        raise ValueError(
            f"picture must be floating and of the shape (C, H, W), got {picture.dtype} of shape {picture.shape}"
        )
    return picture


def _score(logits: Tensor, label: int | None) -> Tensor:
    """The logit of the class, or of the largest one."""
    return logits[0, _label(logits.data, label)]


def _label(logits: np.ndarray, label: int | None) -> int:
    """The class in question: that of the largest logit (1, K), unless given."""
    if logits.ndim != 2 or len(logits) != 1:
        raise ValueError(f"model must give logits of shape (1, K) for one picture, got {logits.shape}")
    classes = logits.shape[1]
    label = int(logits.argmax()) if label is None else label
    if not 0 <= label < classes:
        raise ValueError(f"label must be from 0 to {classes - 1}, got {label}")
    return label


def _beside(picture: Any, values: np.ndarray, name: str, title: str) -> Figure:
    """The picture, and the values over it: white at 0, red above, blue below."""
    picture = _picture(picture)
    figure, (left, right) = make_panels(1, 2, (2.6, 2.5), title)
    shown = picture - picture.min() if picture.min() < 0 else picture  # one that was normalized
    shown = shown / max(float(shown.max()), 1.0)
    grey = shown.mean(0, keepdims=True)
    draw_image(left, shown if len(shown) == 3 else grey)
    right.imshow(grey[0], cmap="gray", vmin=0, vmax=1)
    scale = float(np.abs(values).max()) or 1.0
    image = right.imshow(values, cmap="RdBu_r", vmin=-scale, vmax=scale, alpha=0.75)
    right.set_title(name, fontsize=9)
    for axes in (left, right):
        axes.axis("off")
    figure.colorbar(image, ax=right, shrink=0.8)
    return figure
