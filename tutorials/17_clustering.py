# %% [markdown]
# # 17 · Clustering
#
# Nearly every network so far was trained with labels, that is, it was told what its images show: **supervised
# learning**. Labels are expensive; images are not. A child sorts shells on a beach without knowing a single name.
#
# **Question.** How can a computer find groups of similar things in data that nobody has labelled?
#
# Learning without labels is **unsupervised learning**; finding groups is **clustering**, and each group is a
# **cluster**.

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import load_images, show_image
from library_lines import show_lines

import minidl
from minidl import cluster, data, metrics, models, optim, training, visualize
from minidl.recipes import deep_clustering

# %% [markdown]
# ## The formula
#
# What is a *cluster*? There are several answers. Here are three, for points $x_n$.
#
# **K-means**: a cluster is what lies around a centre. Find $K$ centres $c_k$ and a label for each point so that the sum
# of the squared distances is small:
#
# $$\text{inertia} = \sum_n |x_n - c_{\text{label}_n}|^2$$
#
# For given centres, the best label of a point is the nearest centre. For given labels, the best centre is the mean of
# its points (set the derivative $\sum_n 2(c - x_n)$ to 0). So do both in turn (Lloyd, 1957, published in 1982): neither
# step can increase the inertia.
#
# **Agglomerative** (or hierarchical) clustering: every point starts as a cluster of its own, and the two nearest
# clusters are merged, again and again, which builds a tree. The distance between two clusters (the **linkage**) may be
# that of their nearest points (*single*), that of their farthest points (*complete*), the mean over all pairs
# (*average*), or the root of twice the increase of the inertia when they are merged (*Ward*). There is no need to go
# back to the points: after merging $i$ and $j$, the distance to any other cluster $k$ follows from the previous
# distances (Lance and Williams, 1967). With sizes $n_i, n_j, n_k$ (for Ward with squared distances):
#
# $$\text{single: } \min(d_{ik}, d_{jk}) \qquad \text{complete: } \max(d_{ik}, d_{jk}) \qquad
# \text{Ward: } \frac{(n_i + n_k)\,d_{ik} + (n_j + n_k)\,d_{jk} - n_k\,d_{ij}}{n_i + n_j + n_k}$$
#
# **DBSCAN** (Ester and others, 1996): a cluster is a region where points lie densely. A point is a *core point* if at
# least $m$ points, itself included, lie within the distance $\varepsilon$ of it. Core points within this distance of
# each other belong to the same cluster, together with all points within reach of them. A point that no core point
# reaches is noise. (In the code, $m$ is `min_samples` and $\varepsilon$ is `radius`.)
#
# ## By hand


# %%
def nearest_center(x, centers):  # (N, D), (K, D) -> (N,)
    return ((x[:, None] - centers) ** 2).sum(2).argmin(1)


def k_means(x, centers):
    inertia = []
    while True:
        labels = nearest_center(x, centers)
        centers = np.stack([x[labels == k].mean(0) for k in range(len(centers))])
        inertia.append(((x - centers[labels]) ** 2).sum())
        if len(inertia) > 1 and inertia[-1] == inertia[-2]:
            return labels, centers, inertia


UPDATES = {
    "single": lambda d_i, d_j, d_ij, n_i, n_j, n_k: np.minimum(d_i, d_j),
    "complete": lambda d_i, d_j, d_ij, n_i, n_j, n_k: np.maximum(d_i, d_j),
    "ward": lambda d_i, d_j, d_ij, n_i, n_j, n_k: (
        ((n_i + n_k) * d_i + (n_j + n_k) * d_j - n_k * d_ij) / (n_i + n_j + n_k)
    ),
}


def merge_all(x, linkage):
    """The distance at each merger, from N clusters down to one."""
    d = ((x[:, None] - x) ** 2).sum(2)
    d = d if linkage == "ward" else np.sqrt(d)
    np.fill_diagonal(d, np.inf)
    size, distances = np.ones(len(x)), []
    for _ in range(len(x) - 1):
        i, j = np.unravel_index(d.argmin(), d.shape)
        d_ij = d[i, j]
        distances.append(np.sqrt(d_ij) if linkage == "ward" else d_ij)
        others = np.isfinite(d[i]) & np.isfinite(d[j])
        updated = UPDATES[linkage](d[i, others], d[j, others], d_ij, size[i], size[j], size[others])
        d[i], d[:, i] = np.inf, np.inf  # i is gone, j is the merged cluster
        d[j], d[:, j] = np.inf, np.inf
        d[j, others], d[others, j] = updated, updated
        size[j] += size[i]
    return np.array(distances)


def dbscan(x, radius, min_samples):
    near = np.sqrt(((x[:, None] - x) ** 2).sum(2)) <= radius  # (N, N)
    core, labels, k = near.sum(1) >= min_samples, np.full(len(x), -1), 0
    for start in np.flatnonzero(core):
        if labels[start] >= 0:
            continue
        waiting = [start]
        while waiting:
            n = waiting.pop()
            if labels[n] < 0:
                labels[n] = k
                if core[n]:
                    waiting += np.flatnonzero(near[n]).tolist()
        k += 1
    return labels


# %% [markdown]
# ## Check
#
# We compare with minidl on two sets of points: three round clouds, and two half moons.

# %%
random = np.random.default_rng(0)
clouds = np.concatenate([random.normal(center, 0.5, (60, 2)) for center in ((0, 0), (3, 0.5), (1.2, 2.8))])
angle = np.linspace(0, np.pi, 90)
moon = np.stack([np.cos(angle), np.sin(angle)], 1)
moons = np.concatenate([moon, (1, 0.5) - moon]) + random.normal(0, 0.07, (180, 2))

start = clouds[[0, 1, 2]]
labels, centers, inertia = k_means(clouds, start)
found = cluster.KMeans(3, init=start, tol=0).fit(clouds)
assert np.array_equal(labels, found.labels_) and np.allclose(centers, found.cluster_centers_)
assert np.isclose(inertia[-1], found.inertia_) and (np.diff(inertia) <= 0).all()
print("inertia after each step:", np.round(inertia, 1))
for linkage in UPDATES:
    tree = cluster.AgglomerativeClustering(3, linkage=linkage).fit(clouds)
    assert np.allclose(np.sort(merge_all(clouds, linkage)), tree.distances_), linkage
assert np.array_equal(dbscan(moons, 0.25, 5), cluster.DBSCAN(0.25, min_samples=5).fit_predict(moons))
print("k-means, three linkages and DBSCAN agree with minidl")

# %% [markdown]
# Now four methods on both sets of points.

# %%
methods = {
    "k-means": lambda x, K: cluster.KMeans(K, random_state=0).fit_predict(x),
    "Ward": lambda x, K: cluster.AgglomerativeClustering(K).fit_predict(x),
    "single linkage": lambda x, K: cluster.AgglomerativeClustering(K, linkage="single").fit_predict(x),
    "DBSCAN": lambda x, K: cluster.DBSCAN(0.35, min_samples=5).fit_predict(x),
}
# the colours of Okabe and Ito, which colour-blind readers can tell apart
colors = np.array(["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "black"])
figure, axes = plt.subplots(2, 4, figsize=(9.5, 4.4))
score = {}
for row, (x, K) in zip(axes, ((clouds, 3), (moons, 2))):
    for panel, (name, method) in zip(row, methods.items()):
        labels = method(x, K)
        score[name, K] = metrics.adjusted_rand_score(np.repeat(np.arange(K), len(x) // K), labels)
        panel.scatter(*x.T, s=6, c=np.where(labels < 0, "lightgray", colors[labels % 8]))
        panel.set(title=f"{name}, {score[name, K]:.2f}", xticks=[], yticks=[], aspect="equal")
        panel.grid(False)
figure.suptitle("agreement with the true groups: 1 is perfect, 0 is chance", fontsize=10)
plt.show()
assert score["k-means", 3] > 0.9 > 0.7 > score["k-means", 2]
assert score["DBSCAN", 2] > 0.95

# %% [markdown]
# No method is right for all data. Clusters around a centre suit k-means; clusters that are long chains of points suit
# single linkage and DBSCAN. (Noise is grey. The number is the *adjusted Rand index*: the share of pairs of points on
# which two clusterings agree, corrected for chance, [minidl/metrics/clustering.py](../minidl/metrics/clustering.py)
# `adjusted_rand_score`.)
#
# ## In the library
#
# [minidl/cluster/k_means.py](../minidl/cluster/k_means.py) `KMeans` starts from centres that are far apart
# (*k-means++*), and computes the distances with one matrix product.
# [minidl/cluster/agglomerative.py](../minidl/cluster/agglomerative.py) `AgglomerativeClustering` finds the mergers by
# following chains of nearest neighbours, in $N^2$ steps where yours takes $N^3$.
# [minidl/cluster/dbscan.py](../minidl/cluster/dbscan.py) `DBSCAN` finds neighbours with a tree.

# %%
show_lines("minidl/cluster/k_means.py", "_step")
show_lines("minidl/cluster/agglomerative.py", "_merge_along_chains")

# %% [markdown]
# ## Something real
#
# Now digits. Their labels are used only at the end, to see how good the clusters are. We start with the pixels. For the
# *accuracy*, each cluster is assigned one digit, and each digit one cluster, in the best possible way. The *normalized
# mutual information* needs no assignment: it is 1 if cluster and digit determine each other, and 0 if neither says
# anything about the other.

# %%
x_train, y_train, _, _ = load_images(train_limit=3000)
pixels = x_train.reshape(len(x_train), -1)
scores = {}


def measure(name, labels):
    scores[name] = metrics.clustering_accuracy(y_train, labels), metrics.normalized_mutual_info_score(y_train, labels)
    print(f"{name:26} accuracy {scores[name][0]:.1%}, mutual information {scores[name][1]:.2f}")


by_pixels = cluster.KMeans(10, n_init=5, random_state=0).fit(pixels)
measure("k-means of pixels", by_pixels.labels_)
measure("Ward of pixels", cluster.AgglomerativeClustering(10).fit_predict(pixels))

# %% [markdown]
# The centres of k-means are means of images, so we can look at them.

# %%
figure, axes = plt.subplots(1, 10, figsize=(8.5, 1.3))
for panel, center in zip(axes, by_pixels.cluster_centers_):
    show_image(panel, center.reshape(x_train.shape[2:]))
figure.suptitle("the ten centres of k-means", fontsize=10)
plt.show()

# %% [markdown]
# **Deep clustering.** Distances between pixels know little about shapes. So let a network find better numbers. An
# **autoencoder** consists of two networks: the *encoder* compresses an image to ten numbers, its *code* $z$, and the
# *decoder* reconstructs the image from them. To reconstruct it well, the code must hold what matters. No label is
# needed. Then we run k-means on the codes.
#
# One more step follows (*deep embedded clustering*, DEC: Xie and others, 2016). Let $q_{nk}$ be the probability that
# image $n$ belongs to cluster $k$; it falls with the distance of the code from the centre. Compute from it a target $p$
# in which likely clusters become even likelier:
#
# $$q_{nk} = \frac{(1 + |z_n - c_k|^2)^{-1}}{\sum_j (1 + |z_n - c_j|^2)^{-1}}, \qquad
# p_{nk} = \frac{q_{nk}^2 / f_k}{\sum_j q_{nj}^2 / f_j}, \quad f_k = \sum_n q_{nk}$$
#
# Train the encoder and the centres so that $q$ approaches $p$ (the loss is the Kullback-Leibler divergence,
# $\sum p \log (p / q)$), compute $p$ anew, and so on: the network learns from its own most confident guesses.


# %%
def soft_assignment(z, centers):
    t = 1 / (1 + ((z[:, None] - centers) ** 2).sum(2))
    return t / t.sum(1, keepdims=True)


def target_distribution(q):
    p = q**2 / q.sum(0)
    return p / p.sum(1, keepdims=True)


minidl.manual_seed(0)
images = data.ImageDataset(x_train, y_train, [str(k) for k in range(10)])
model = models.build("deep_clustering", image_shape=x_train.shape[1:], hidden_sizes=[256, 512])
autoencoder_epochs, epochs = 20, 30
undistorted = deep_clustering.DistortedImages(images, lambda x: x)  # nothing is distorted here
phases = deep_clustering.Phases(images, autoencoder_epochs)  # first the autoencoder, then the clusters
options = {"optimizer": optim.Adam(model.parameters(), lr=0.001), "step": phases, "batch_size": 64}
history = training.fit(model, undistorted, epochs=autoencoder_epochs, **options)
codes = training.predict(model.encoder, x_train).numpy()
reconstructed = training.predict(model.decoder, codes[:10]).numpy()
before = deep_clustering.assign(model, images)

q = soft_assignment(codes, model.centers.numpy())
assert np.allclose(q, training.predict(model, images).numpy(), atol=1e-5)
assert np.allclose(target_distribution(q), deep_clustering.target_distribution(q), atol=1e-6)
assert target_distribution(q).max(1).mean() > q.max(1).mean(), "the target is more confident"

history = training.fit(model, undistorted, epochs=epochs, history=history, **options)
measure("k-means of codes", before)
measure("deep embedded clustering", deep_clustering.assign(model, images))

# %% [markdown]
# These are some images and their reconstructions from ten numbers each.

# %%
figure, axes = plt.subplots(2, 10, figsize=(8.5, 2))
for n, (above, below) in enumerate(axes.T):
    show_image(above, x_train[n], "image" if n == 0 else "")
    show_image(below, reconstructed[n], "decoded" if n == 0 else "", vmin=0, vmax=1)
plt.show()

# %% [markdown]
# These are the pixels and the codes of every fifth image of each digit, projected onto their first two principal
# components (tutorial 16).

# %%
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.6))
sets = {"pixels": pixels, "codes": codes, "codes after DEC": training.predict(model.encoder, x_train).numpy()}
for panel, (name, values) in zip(axes, sets.items()):
    coordinates, _ = visualize.principal_components(values)
    for k in range(10):
        some = coordinates[y_train == k][::5]
        panel.plot(*some.T, linestyle="", marker=f"${k}$", markersize=5, color=plt.get_cmap("tab10")(k))
    panel.set(title=name, xticks=[], yticks=[])
    panel.grid(False)
plt.show()
assert scores["deep embedded clustering"][1] > scores["k-means of codes"][1]
assert scores["deep embedded clustering"][1] > scores["k-means of pixels"][1]

# %% [markdown]
# The points are drawn as their true digits, which no method has seen. After DEC, the codes form separate groups. But
# look at the scores too: on such tiny images, Ward's old method is hard to beat. (`minidl train image-clustering`
# clusters the 60,000 training images of MNIST, and distorts the images that the network learns from.)
#
# ## Exercises
#
# **1.** Run k-means on the digits from ten random starts. Is the inertia always the same? What helps?
#
# <details><summary>Answer</summary>
#
# No: each run ends in some local minimum, not always the lowest. Take the best of several runs, and start from centres
# that are far apart (k-means++).
#
# ```python
# starts = [cluster.KMeans(10, init="random", n_init=1, random_state=seed).fit(pixels) for seed in range(10)]
# inertias = [found.inertia_ for found in starts]
# print(f"{min(inertias):.0f} to {max(inertias):.0f}")
# assert max(inertias) > 1.002 * min(inertias)
# ```
# </details>
#
# **2.** The inertia always falls when $K$ grows. How can one choose $K$, then?
#
# <details><summary>Answer</summary>
#
# With a measure that also asks how far away the next cluster is, such as the silhouette score.
#
# ```python
# found = {K: cluster.KMeans(K, n_init=10, random_state=0).fit(clouds) for K in range(2, 7)}
# inertias = [fitted.inertia_ for fitted in found.values()]
# silhouette = {K: metrics.silhouette_score(clouds, fitted.labels_) for K, fitted in found.items()}
# assert all(np.diff(inertias) < 0) and max(silhouette, key=silhouette.get) == 3
# ```
# </details>
#
# **3.** Draw the tree of the first 20 digits with `visualize.dendrogram`.
#
# <details><summary>Answer</summary>
#
# The height at which two branches join is the distance of the two clusters.
#
# ```python
# tree = cluster.AgglomerativeClustering(10).fit(pixels[:20])
# figure = visualize.dendrogram(tree, [str(label) for label in y_train[:20]])
# assert len(tree.children_) == 19 and (np.diff(tree.distances_) >= 0).all()
# ```
# </details>
#
# ## Next
#
# What has a network learned, and why does it answer what it answers? [Looking inside](18_looking_inside.py).
