"""Measures of a trained model, under scikit-learn's names and with its values, from the formulas.

Arguments are arrays, Tensors or lists; labels may be numbers or text.
"""

from minidl.metrics.classification import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)
from minidl.metrics.clustering import (
    adjusted_rand_score,
    clustering_accuracy,
    match_clusters,
    normalized_mutual_info_score,
    silhouette_samples,
    silhouette_score,
)
from minidl.metrics.ranking import roc_auc_score, top_k_accuracy_score

__all__ = [
    "accuracy_score", "adjusted_rand_score", "clustering_accuracy", "confusion_matrix", "f1_score", "match_clusters",
    "normalized_mutual_info_score", "precision_recall_fscore_support", "precision_score", "recall_score",
    "roc_auc_score", "silhouette_samples", "silhouette_score", "top_k_accuracy_score",
]  # fmt: skip
