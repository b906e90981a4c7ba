"""Clustering: groups of similar samples, found without labels. Names, arguments and values are scikit-learn's.

===========================  ===========================================================  ==========================
``KMeans``                   K centres, each the mean of the samples nearest to it        time N K D for each step
``DBSCAN``                   regions dense with samples, of any shape; the rest is noise  memory: pairs within `eps`
``AgglomerativeClustering``  the two nearest clusters are merged, again and again         time and memory N^2
===========================  ===========================================================  ==========================

Samples X are an array, a Tensor or lists, (N, D); flatten images first: ``X.reshape(len(X), -1)``. Measures of a
clustering are in :mod:`minidl.metrics`; deep embedded clustering is the recipe image-clustering.
"""

from minidl.cluster.agglomerative import AgglomerativeClustering
from minidl.cluster.dbscan import DBSCAN
from minidl.cluster.k_means import KMeans

__all__ = ["AgglomerativeClustering", "DBSCAN", "KMeans"]
