"""The kind of recipe that finds the classes of images without their labels: deep embedded clustering.

It has two phases. In the first an autoencoder learns codes, among which k-means finds centres. In the second the
encoder and the centres are trained together: each image is to belong to its cluster more clearly than it does now
(`target_distribution`). Labels are used to measure, not to train.

The network sees distorted images in both phases. The autoencoder has to reproduce the undistorted image; in the second
phase the target of a distorted image is computed from the undistorted one.

Two settings of the second phase were chosen on MNIST, by the NMI with the labels (seed 0, 6 epochs of the autoencoder):

    how often the target is renewed    once an epoch: NMI 0.68 after one epoch; four times: 0.73 to 0.75; for each
                                       batch: clusters run into each other, from 0.83 to 0.69 within three epochs
    standard deviation of the codes    0.5, as the autoencoder leaves them: 0.78 after two epochs; scaled to 3: 0.83

Sources: J. Xie, R. Girshick, A. Farhadi, "Unsupervised deep embedding for clustering analysis", 2016; X. Guo, E. Zhu,
X. Liu, J. Yin, "Deep embedded clustering with data augmentation", 2018, for the distortions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidl import cluster, data, metrics, nn, no_grad, random, training, visualize
from minidl import functional as F
from minidl.autograd import Tensor
from minidl.optim import Optimizer
from minidl.recipes.recipe import LoadImages, Recipe

SAMPLES = 10  # of each cluster in the picture
TARGET_INTERVAL = 30  # batches between two renewals of the target
CODE_SCALE = 3  # standard deviation of the codes that the second phase starts from


class DistortedImages(data.Dataset):
    """Samples (distorted image, image, its number); the distortion is drawn anew every time."""

    batched = True

    def __init__(self, images: data.ImageDataset, distort: Callable[[Any], Any]):
        self.images, self.distort = images, distort

    def __len__(self) -> int:
        return len(self.images)

    def get_batch(self, indices: np.ndarray) -> tuple[Any, Any, np.ndarray]:
        x, _ = self.images.get_batch(indices)
        return self.distort(x), x, indices


def target_distribution(q: np.ndarray) -> np.ndarray:
    """The assignments to train towards: clearer ones than q, without advantage for large clusters (equation 3).

    p[n,k] = q[n,k]^2 / f[k] / sum_j q[n,j]^2 / f[j]        f[k] = sum_n q[n,k]
    """
    weighted = q**2 / q.sum(axis=0)  # (N, K)
    return weighted / weighted.sum(axis=1, keepdims=True)


class Phases(training.Callback):
    """The step of `fit`, and what happens between epochs: the autoencoder for some epochs, then the clustering.

    The second phase starts from the centres among the codes. They are set in the model after each epoch of the first
    phase, and the target is computed from the model, so a run that goes on from a checkpoint needs nothing else.
    """

    def __init__(self, images: data.ImageDataset, autoencoder_epochs: int):
        self.images, self.autoencoder_epochs = images, autoencoder_epochs
        self.target: Tensor | None = None  # p (N, K) of all images; None in the first phase
        self.batches_done = 0  # in this epoch

    def __call__(self, model: nn.Module, optimizer: Optimizer, inputs: list[Tensor], numbers: Tensor) -> dict[str, Any]:
        """A step on the reconstruction in the first phase, on KL(p || q) in the second."""
        distorted, x = inputs
        optimizer.zero_grad()
        if self.target is None:
            # the code of a distorted image is to give back the image as it was
            loss = F.mse_loss(model.decoder(model.encoder(distorted)), x)
        else:
            # KL(p || q) = sum_nk p[n,k] log(p[n,k] / q[n,k]) / N
            loss = F.kl_div(model(distorted).log(), self.target[numbers], reduction="batchmean")
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    def on_epoch_start(self, run: training.Run) -> None:
        self.batches_done, self.target = 0, None
        if run.epoch == self.autoencoder_epochs + 1:
            run.optimizer.state.clear()  # Adam's averages are of gradients of another loss
        if run.epoch > self.autoencoder_epochs:
            self._renew_target(run.model)

    def on_batch_end(self, run: training.Run) -> None:
        self.batches_done += 1
        if self.target is not None and self.batches_done % TARGET_INTERVAL == 0:
            self._renew_target(run.model)

    def on_validation_end(self, run: training.Run) -> None:
        if run.epoch <= self.autoencoder_epochs:
            last = run.epoch == self.autoencoder_epochs
            if last:
                scale_codes(run.model, self.images)
            # many starts for the centres that the second phase begins with; one suffices to show how the codes improve
            set_centers(run.model, self.images, starts=20 if last else 1)
        run.values |= clustering_measures(self.images.labels, assign(run.model, self.images), "train_")

    def _renew_target(self, model: nn.Module) -> None:
        q = training.predict(model, self.images).numpy()
        self.target = Tensor(target_distribution(q)).to(model.centers.device)


def scale_codes(model: nn.Module, images: data.ImageDataset) -> None:
    """Give the codes the standard deviation CODE_SCALE, and change the decoder so that it draws what it drew before.

    In Student's t, distances well below 1 hardly count: among codes so close together, every q is about 1 / K.

        z' = s z = (s w) h + s b        w' z' = (w / s) (s z) = w z        s = CODE_SCALE / std(z)
    """
    scale = CODE_SCALE / float(training.predict(model.encoder, images).numpy().std())
    with no_grad():
        model.encoder[-1].weight *= scale
        model.encoder[-1].bias *= scale
        model.decoder[0].weight /= scale


def set_centers(model: nn.Module, images: data.ImageDataset, starts: int) -> None:
    """Set the model's centres to those that k-means finds among the codes of the images."""
    codes = training.predict(model.encoder, images).numpy()
    k_means = cluster.KMeans(len(model.centers), n_init=starts, random_state=random.generator("initialization"))
    with no_grad():
        model.centers.copy_(k_means.fit(codes).cluster_centers_)


def assign(model: nn.Module, images: data.ImageDataset) -> np.ndarray:
    """The cluster of each image: the largest q, which is that of the nearest centre."""
    return training.predict(model, images).numpy().argmax(axis=1)


def clustering_measures(labels: np.ndarray, clusters: np.ndarray, prefix: str = "") -> dict[str, float]:
    return {
        f"{prefix}accuracy": metrics.clustering_accuracy(labels, clusters),
        f"{prefix}nmi": metrics.normalized_mutual_info_score(labels, clusters),
        f"{prefix}ari": metrics.adjusted_rand_score(labels, clusters),
    }


@dataclass(frozen=True, kw_only=True)
class DeepClustering(Recipe):
    """Clusters of images by deep embedded clustering, and beside them those of k-means on codes and on pixels."""

    load: LoadImages
    distort: Callable[[Any], Any]  # a transform that leaves an image what it is
    autoencoder_epochs: int  # of the epochs; the others cluster

    def datasets(self, root: Path | None) -> tuple[DistortedImages, data.ImageDataset]:
        """The training images distorted, to learn from; and as they are, to be clustered and measured."""
        images, _ = self.load(root)
        return DistortedImages(images, self.distort), images

    def fit_options(self, train_data: DistortedImages) -> dict[str, Any]:
        return {"step": Phases(train_data.images, self.autoencoder_epochs)}

    def callbacks(self, test_data: data.ImageDataset, output: Path) -> Sequence[training.Callback]:
        return [training.LearningRateSchedule(self.learning_rate)]

    def learning_rate(self, epoch: int) -> float:
        """The factor of an epoch, counted from 1: in each phase from 1 towards 0 along half a cosine."""
        start, end = 1, self.autoencoder_epochs + 1
        if epoch >= end:
            start, end = end, self.epochs + 1
        return (1 + math.cos(math.pi * (epoch - start) / (end - start))) / 2

    def results(self, model: nn.Module, test_data: data.ImageDataset, history: dict[str, list]) -> dict[str, Any]:
        """The measures of the clusters at the end, of k-means on the autoencoder's codes, and of k-means on pixels."""
        x, _ = test_data.get_batch(np.arange(len(test_data)))
        pixels = cluster.KMeans(len(model.centers), n_init=3, random_state=0).fit_predict(x.reshape(len(x), -1))
        autoencoder = min(self.autoencoder_epochs, len(history["epoch"])) - 1
        names = ("accuracy", "nmi", "ari")
        return (
            {f"clustering_{name}": history[f"train_{name}"][-1] for name in names}
            | {f"autoencoder_{name}": history[f"train_{name}"][autoencoder] for name in names}
            | clustering_measures(test_data.labels, pixels, "pixels_")
        )

    def evaluate(self, model: nn.Module, root: Path | None) -> dict[str, Any]:
        """The measures on the test images, which were not clustered in training."""
        _, test = self.load(root)
        return {"test_images": len(test)} | clustering_measures(test.labels, assign(model, test), "test_")

    def figures(self, model: nn.Module, test_data: data.ImageDataset, history: dict[str, list]) -> dict[str, Any]:
        labels, classes = test_data.labels, test_data.classes
        q = training.predict(model, test_data).numpy()
        clusters = q.argmax(axis=1)
        names = {k: classes[label] for k, label in metrics.match_clusters(labels, clusters).items()}
        order = sorted(range(q.shape[1]), key=lambda k: names.get(k, "~"))  # those matched to no class last
        title = f"{self.name}: {self.dataset}, clustering accuracy {history['train_accuracy'][-1]:.4f}"
        shown = np.concatenate([np.argsort(-q[:, k], kind="stable")[:SAMPLES] for k in order])
        x, _ = test_data.get_batch(shown)
        few = np.random.default_rng(0).choice(len(labels), min(len(labels), 5000), replace=False)
        codes = training.predict(model.encoder, test_data).numpy()[few]
        return {
            "curves.png": visualize.learning_curves(_phases(history, self.autoencoder_epochs), title=title),
            "clusters.png": visualize.sample_grid(x, columns=SAMPLES, title="a row a cluster: the images surest of it"),
            "confusion_matrix.png": visualize.confusion_matrix(
                _counts(labels, clusters, len(classes), order), classes, [names.get(k, "-") for k in order],
                title=title, columns_are="cluster, by the class it is matched to",
            ),
            "codes.png": visualize.embedding(codes, labels[few], classes, title="codes, coloured by class"),
        }  # fmt: skip


def _phases(history: dict[str, list], autoencoder_epochs: int) -> dict[str, dict[str, list]]:
    """The history of each phase, the loss under a name of its own: the two losses have no common scale."""
    starts = {"autoencoder": (0, "reconstruction_loss"), "clustering": (autoencoder_epochs, "KL_loss")}
    ends = {"autoencoder": autoencoder_epochs, "clustering": None}
    return {
        phase: {name: history[name][start : ends[phase]] for name in ("epoch", "train_accuracy", "train_nmi")}
        | {f"train_{loss}": history["train_loss"][start : ends[phase]]}
        for phase, (start, loss) in starts.items()
        if len(history["epoch"]) > start
    }


def _counts(labels: np.ndarray, clusters: np.ndarray, classes: int, order: Sequence[int]) -> np.ndarray:
    """n[class, place], the images of each class in the clusters in this order."""
    places = np.argsort(order)[clusters]
    return np.bincount(labels * len(order) + places, minlength=classes * len(order)).reshape(classes, len(order))
