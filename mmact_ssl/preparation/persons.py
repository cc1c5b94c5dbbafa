"""Selection of the persons of a clip by their motion."""

from __future__ import annotations

import numpy as np

SPEED = 6  # frames that a person's speed is measured over
WALK = 15  # frames that a lost person walks on at that speed
SECOND = 30  # frames; a second without a person is as far as the size of the body


def motion_energy(tracks: np.ndarray) -> np.ndarray:
    """Variance of a person's joints over time, relative to the size of the body.

    It is the sum of squares of the distances of joints from their means over the frames, divided by
    that of the distances from the centers of their frames. Joints that are zero or not finite are
    unseen and do not count.

    Args:
        tracks: float (M, T, V, C).

    Returns:
        float64 (M,), 0 for an absent person.

    Source: the FAQ of NTU RGB+D's authors sums the variances of x, y and z to choose the main
    actor. By these a near person that stands still moves more than a far one that walks.
    """
    points = _seen_points(tracks)
    over_time, over_body = (
        ((points - points.mean(axis, keepdims=True)) ** 2).sum(axis=(1, 2, 3)).filled(0)
        for axis in (1, 2)
    )
    return np.divide(over_time, over_body, out=np.zeros(len(tracks)), where=over_body > 0)


def strongest_persons(tracks: np.ndarray, count: int) -> np.ndarray:
    """Return the ``count`` persons that move most, strongest first: (min(M, count), T, V, C)."""
    return tracks[np.argsort(-motion_energy(tracks), kind='stable')[:count]]


def join_tracks(tracks: np.ndarray, count: int) -> np.ndarray:
    """Join the tracks (K, T, V, C) of a sensor that loses persons to persons (count, T, V, C).

    Tracks are zero in frames without the person. Those that move most are kept, as many as
    ``count`` persons can hold in each frame. In the order of time, each goes to the person that is
    absent in all its frames and was lost nearest, see :func:`_distance`; to a new person only if
    no other is free. The person that moves most becomes the first.

    Source: our choice; CTR-GCN's public preparation of NTU RGB+D joins by motion alone.
    """
    seen = np.any(tracks, axis=(2, 3))  # (K, T)
    load, kept = np.zeros(tracks.shape[1], np.int64), []
    for track in np.argsort(-motion_energy(tracks), kind='stable').tolist():
        if seen[track].any() and (load + seen[track] <= count).all():
            load += seen[track]
            kept.append(track)
    persons = np.zeros((count, *tracks.shape[1:]), tracks.dtype)
    for track in sorted(kept, key=lambda track: int(seen[track].argmax())):
        taken = np.any(persons, axis=(2, 3)) & seen[track]
        free = np.flatnonzero(~taken.any(axis=1)).tolist()
        if free:
            nearest = min(free, key=lambda person: _distance(persons[person], tracks[track]))
            persons[nearest, seen[track]] = tracks[track, seen[track]]
    return strongest_persons(persons, count)


def _distance(person: np.ndarray, track: np.ndarray) -> float:
    """Distance of a track from the person (T, V, C) that was lost before it; inf without one.

    It is the mean of two distances: of the found person from where the lost one would have walked,
    and of the lost one from where the found one would have come. Their unit is the size of the
    body; each SECOND in between adds one.
    """
    shown = np.flatnonzero(track.any(axis=(1, 2)))[:SPEED]
    before = np.flatnonzero(person[: shown[0]].any(axis=(1, 2)))[-SPEED:]
    if not len(before):
        return np.inf
    lost, found = _seen_points(person[before]), _seen_points(track[shown])
    size = float(found.std(axis=1).mean())
    gap = int(shown[0] - before[-1])
    far, (lost, found) = 0.0, (points.mean(axis=1).filled(0) for points in (lost, found))
    for places, frames in (lost, before), (found, shown):
        speed = (places[-1] - places[0]) / max(frames[-1] - frames[0], 1)
        far += float(np.linalg.norm(found[0] - lost[-1] - speed * min(gap, WALK))) / 2
    return far / max(size, 1e-9) + gap / SECOND


def _seen_points(tracks: np.ndarray) -> np.ma.MaskedArray:
    """Joints (..., V, C) as float64; those that are zero or not finite are masked."""
    tracks = np.asarray(tracks, np.float64)
    unseen = ~np.isfinite(tracks).all(axis=-1) | ~tracks.any(axis=-1)
    return np.ma.array(tracks, mask=np.repeat(unseen[..., None], tracks.shape[-1], axis=-1))
