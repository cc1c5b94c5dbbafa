"""Selection of the persons of a clip by their motion."""

from __future__ import annotations

import numpy as np


def motion_energy(tracks: np.ndarray) -> np.ndarray:
    """Sum of the variances of x, y (and z) over a person's frames and joints.

    Joints that are zero or not finite are unseen and do not count.

    Args:
        tracks: float (M, T, V, C).

    Returns:
        float64 (M,), 0 for an absent person.

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
    """Join the tracks (K, T, V, C) of a sensor that loses persons to persons (count, T, V, C).

    Tracks are zero in frames without the person. In the order of their motion, each track goes to
    the first person that is absent in all its frames; a track that fits no person is dropped.

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
