"""Linear probe, nearest neighbors and retrieval on random features, against scikit-learn.

The probe chooses one of the protocol's six penalties by cross-validation in five folds, against
scikit-learn's grid search over the same penalties and folds. With its default tolerance of 1e-4
scikit-learn stops early for many classes; ``--tolerance`` sets a smaller one. The probe reads
rectified mixtures of channels, which are correlated like features of networks. The neighbors, 20
for votes and 50 for retrieval, are compared with scikit-learn's brute force by cosine, on normal
deviates around random class centers. ``agreement``: fraction of equal predictions or neighbors.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
from interleave import compare
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.neighbors import nearest_samples, vote
from mmact_ssl.evaluation.protocols.linear import PENALTIES, fit_probe

TARGET = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shape = dict(type=int, nargs=3, metavar=('SAMPLES', 'CHANNELS', 'CLASSES'))
    parser.add_argument('--probe', default=[1000, 256, 10], help='20000 2048 400 is large', **shape)
    parser.add_argument('--tolerance', type=float, default=1e-6, help="of scikit-learn's probe")
    shape['metavar'] = ('QUERIES', 'GALLERY', 'CHANNELS')
    parser.add_argument(
        '--neighbors', default=[2000, 8000, 256], help='20000 240000 512 is large', **shape
    )
    parser.add_argument('--rounds', type=int, default=3)


def make_features(
    samples: int, channels: int, classes: int, seed: int, distance: float = 3.0
) -> Features:
    """Normal deviates around class centers, which are the same for every seed.

    Args:
        distance: Distance of a center from zero, in standard deviations of one channel.
    """
    centers = np.random.default_rng(0).normal(size=(classes, channels))
    centers *= distance / np.sqrt(channels)
    random = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    values = centers[labels] + random.normal(size=(samples, channels))
    return Features(values.astype(np.float32), labels)


def mix(features: Features) -> Features:
    """Rectified random mixtures of the channels; a few have most of the variance."""
    channels = features.values.shape[1]
    random = np.random.default_rng(0)
    scale = np.arange(1, channels + 1)[:, None] ** -0.5
    mixture = random.normal(size=(channels, channels)) * scale
    values = np.maximum(features.values @ mixture.astype(np.float32), 0)
    return Features(values, features.labels)


def our_probe(train: Features, test: Features, number: int) -> list[int]:
    """The probe of ``tools/evaluate.py linear``."""
    return fit_probe(train)[0].predict(test.values.astype(np.float64)).tolist()


def their_probe(train: Features, test: Features, tolerance: float, number: int) -> list[int]:
    """scikit-learn's grid search over the same penalties and folds."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(tol=tolerance, max_iter=9999))
    grid = {'logisticregression__C': sorted(PENALTIES)}
    search = GridSearchCV(probe, grid, cv=StratifiedKFold(5))
    search.fit(train.values.astype(np.float64), train.labels)
    return search.predict(test.values.astype(np.float64)).tolist()


def our_neighbors(gallery: Features, queries: Features, number: int) -> list:
    """Neighbors as ``tools/evaluate.py retrieval`` finds them."""
    return nearest_samples(gallery, queries.values, k=50)[1].tolist()


def their_neighbors(gallery: Features, queries: Features, number: int) -> list:
    """scikit-learn's neighbors."""
    search = NearestNeighbors(n_neighbors=50, algorithm='brute', metric='cosine')
    search.fit(gallery.values)
    return search.kneighbors(queries.values, return_distance=False).tolist()


def our_votes(gallery: Features, queries: Features, classes: int, number: int) -> list[int]:
    """Classes as ``tools/evaluate.py knn`` predicts them."""
    similarity, position = nearest_samples(gallery, queries.values, 20)
    return vote(similarity, gallery.labels[position], classes, 0.07).argmax(1).tolist()


def their_votes(gallery: Features, queries: Features, number: int) -> list[int]:
    """scikit-learn's classifier with the same votes."""
    search = KNeighborsClassifier(
        20, algorithm='brute', metric='cosine', weights=lambda d: np.exp(-d / 0.07)
    )
    return search.fit(gallery.values, gallery.labels).predict(queries.values).tolist()


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the three protocols."""
    samples, channels, classes = args.probe
    train, test = (mix(make_features(samples, channels, classes, seed, 6.0)) for seed in (1, 2))
    queries, gallery, width = args.neighbors
    few, many = (
        make_features(count, width, 400, seed) for seed, count in enumerate((queries, gallery), 1)
    )
    against = {
        f'linear probe, {samples} x {channels}, {classes} classes': (
            partial(our_probe, train, test),
            partial(their_probe, train, test, args.tolerance),
        ),
        f'kNN, {queries} x {gallery} x {width}': (
            partial(our_votes, many, few, 400),
            partial(their_votes, many, few),
        ),
        f'retrieval, {queries} x {gallery} x {width}': (
            partial(our_neighbors, many, few),
            partial(their_neighbors, many, few),
        ),
    }
    figures = []
    for title, (ours, theirs) in against.items():
        ways = {'ours': lambda way=ours: way, 'scikit-learn': lambda way=theirs: way}
        summary = compare(
            title, ways, 'scikit-learn', args.rounds, faster=True, target=TARGET, warm_ups=0
        )
        both = [np.array(way.pop('results')[-1]) for way in summary['ways'].values()]
        summary['agreement'] = float(np.mean(both[0] == both[1]))
        print(f'  agreement {summary["agreement"]:.4f}')
        if ours.func is our_probe:
            summary['accuracy'] = [float(np.mean(labels == test.labels)) for labels in both]
            print('  accuracy {:.4f}, scikit-learn {:.4f}'.format(*summary['accuracy']))
        figures.append(summary)
    return figures
