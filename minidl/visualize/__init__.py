"""Pictures of a training run and of what a network has learned.

The functions draw with matplotlib, which is imported when it is first needed. They return a Figure without a window:
show it in a notebook, or write it with `save`.
"""

from minidl.visualize.attribution import (
    grad_cam,
    grad_cam_map,
    occlusion,
    occlusion_map,
    saliency,
    saliency_map,
)
from minidl.visualize.curves import learning_curves
from minidl.visualize.dendrogram import dendrogram
from minidl.visualize.embedding import embedding, principal_components
from minidl.visualize.figure import COLORS, Figure, available, save
from minidl.visualize.graph import Drawing, graph
from minidl.visualize.grid import images
from minidl.visualize.layers import feature_maps, filters
from minidl.visualize.mistakes import confusion_matrix, misclassified
from minidl.visualize.tiles import image_rows, sample_grid

__all__ = [
    "COLORS", "Drawing", "Figure", "available", "confusion_matrix", "dendrogram", "embedding", "feature_maps",
    "filters", "grad_cam", "grad_cam_map", "graph", "image_rows", "images", "learning_curves", "misclassified",
    "occlusion", "occlusion_map", "principal_components", "saliency", "saliency_map", "sample_grid", "save",
]  # fmt: skip
