"""Choosing persons by motion, against slow twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.preparation.persons import join_tracks, motion_energy, strongest_persons


def slow_energy(track):
    """Variance of each coordinate over all joints of all frames that are known."""
    points = [
        joint for frame in track for joint in frame if np.isfinite(joint).all() and joint.any()
    ]
    return float(np.var(np.array(points, np.float64), axis=0).sum()) if points else 0.0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6), st.integers(2, 3))
def test_energy_is_the_sum_of_the_variances(seed, persons, frames, coordinates):
    rng = np.random.default_rng(seed)
    tracks = rng.normal(3, rng.uniform(0.1, 2), (persons, frames, 5, coordinates))
    tracks[rng.random((persons, frames)) < 0.4] = 0
    tracks[rng.random((persons, frames, 5)) < 0.2] = 0
    tracks[rng.random(tracks.shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf])
    np.testing.assert_allclose(
        motion_energy(tracks), [slow_energy(track) for track in tracks], rtol=1e-9, atol=1e-12
    )


def moving(amount, start, stop, frames=10):
    """A track that is seen in frames start..stop - 1."""
    rng = np.random.default_rng(round(10 * amount))
    track = np.zeros((frames, 4, 3))
    track[start:stop] = 2 + rng.normal(0, amount, (stop - start, 4, 3))
    return track


def test_the_strongest_come_first():
    tracks = np.stack([moving(0.1, 0, 10), moving(0.5, 0, 10), moving(0.3, 0, 10)])
    np.testing.assert_array_equal(strongest_persons(tracks, 2), tracks[[1, 2]])
    np.testing.assert_array_equal(strongest_persons(tracks, 5), tracks[[1, 2, 0]])


def test_a_person_lost_and_found_is_one():
    first, second = moving(0.2, 0, 4), moving(0.3, 6, 10)
    other, noise = moving(0.9, 0, 10), moving(0.1, 3, 7)
    joined = join_tracks(np.stack([first, second, other, noise]), 2)
    np.testing.assert_array_equal(joined[0], other)
    np.testing.assert_array_equal(joined[1], first + second)  # they share no frame; noise fits not
