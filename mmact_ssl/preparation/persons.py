"""Choosing the persons of a clip by how much they move."""

from __future__ import annotations

import numpy as np


def motion_energy(tracks: np.ndarray) -> np.ndarray:
    """Sum of the variances of x, y (and z) over frames and joints, of each person.

    float (M, T, V, C), where joints of zeros or without a finite value are not seen and do not
    count, to float64 (M,), 0 for an absent person.

    Source: the FAQ of NTU RGB+D's authors, on choosing the main actor.
    """
    tracks = np.asarray(tracks, np.float64)
    tracks = np.where(np.isfinite(tracks).all(axis=-1, keepdims=True), tracks, 0.0)
    seen = tracks.any(axis=-1, keepdims=True)  # (M, T, V, 1)
    count = np.maximum(seen.sum(axis=(1, 2), keepdims=True), 1)  # (M, 1, 1, 1)
    mean = tracks.sum(axis=(1, 2), keepdims=True) / count  # unseen joints add zero
    square = np.where(seen, (tracks - mean) ** 2, 0.0).sum(axis=(1, 2), keepdims=True)
    return (square / count).sum(axis=(1, 2, 3))


def strongest_persons(tracks: np.ndarray, count: int) -> np.ndarray:
    """Return the ``count`` persons that move most, strongest first: (min(M, count), T, V, C)."""
    return tracks[np.argsort(-motion_energy(tracks), kind='stable')[:count]]


def join_tracks(tracks: np.ndarray, count: int) -> np.ndarray:
    """Join tracks (K, T, V, C) that a sensor lost and found again to persons (count, T, V, C).

    Tracks, which are zero in frames that they do not have, are taken in the order of their motion.
    Each goes to the first person that is absent in all its frames; one that fits nobody is dropped.

    Source: our choice, close to CTR-GCN's public preparation of NTU RGB+D.
    """
    persons = np.zeros((count, *tracks.shape[1:]), tracks.dtype)
    taken = np.zeros((count, tracks.shape[1]), dtype=bool)
    for track in strongest_persons(tracks, len(tracks)):
        seen = track.any(axis=(1, 2))
        free = np.flatnonzero(~(taken & seen).any(axis=1))
        if len(free):
            persons[free[0], seen] = track[seen]
            taken[free[0]] |= seen
    return persons
