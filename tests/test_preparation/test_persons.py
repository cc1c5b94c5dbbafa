"""Choosing persons by motion, against slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.preparation.persons import join_tracks, motion_energy, strongest_persons


def slow_energy(track):
    """Squares of the distances to each joint's mean, by those to each frame's mean."""
    known = np.isfinite(track).all(-1) & track.any(-1)
    joints = [track[known[:, joint], joint] for joint in range(track.shape[1])]
    frames = [frame[seen] for frame, seen in zip(track, known)]
    time, body = (
        sum(((points - points.mean(axis=0)) ** 2).sum() for points in groups if len(points))
        for groups in (joints, frames)
    )
    return time / body if body else 0.0


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6), st.integers(2, 3))
def test_energy_is_the_variance_over_time_by_that_over_the_body(seed, persons, frames, coordinates):
    rng = np.random.default_rng(seed)
    tracks = rng.normal(3, rng.uniform(0.1, 2), (persons, frames, 5, coordinates))
    tracks[rng.random((persons, frames)) < 0.4] = 0
    tracks[rng.random((persons, frames, 5)) < 0.2] = 0
    tracks[rng.random(tracks.shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf])
    np.testing.assert_allclose(
        motion_energy(tracks), [slow_energy(track) for track in tracks], rtol=1e-9, atol=1e-12
    )


def moving(amount, start, stop, frames=10, place=2.0, coordinates=3):
    """A body that is seen in frames start..stop - 1, at a place or one for each of all frames."""
    rng = np.random.default_rng(round(100 * amount))
    body = np.random.default_rng(0).normal(0, 0.4, (12, coordinates))
    track = body + rng.normal(0, amount, (frames, 12, coordinates))
    track[..., 0] += np.reshape(place, (-1, 1))
    track[:start] = track[stop:] = 0
    return track


def test_the_strongest_come_first():
    tracks = np.stack([moving(amount, 0, 10) for amount in (0.1, 0.5, 0.3)])
    np.testing.assert_array_equal(strongest_persons(tracks, 2), tracks[[1, 2]])
    np.testing.assert_array_equal(strongest_persons(tracks, 5), tracks[[1, 2, 0]])


@pytest.mark.parametrize(('size', 'coordinates'), [(0.2, 3), (1, 2), (5, 2), (5, 3), (100, 3)])
def test_who_stands_still_comes_last_at_any_size(coordinates, size):
    still = size * moving(0.01, 0, 10, coordinates=coordinates)
    tracks = np.stack([still, moving(0.2, 0, 10, coordinates=coordinates)])
    np.testing.assert_array_equal(strongest_persons(tracks, 2), tracks[::-1])


def test_a_person_lost_and_found_is_one():
    first, second = moving(0.2, 0, 4), moving(0.3, 6, 10)
    other, noise, nobody = moving(0.9, 0, 10), moving(0.1, 3, 7), moving(0.1, 0, 0)
    joined = join_tracks(np.stack([first, nobody, second, other, noise]), 2)
    np.testing.assert_array_equal(joined[0], other)
    np.testing.assert_array_equal(joined[1], first + second)  # they share no frame; noise fits not


@pytest.mark.parametrize('coordinates', [2, 3])
@pytest.mark.parametrize(('gap', 'turns_back'), [(1, 0), (1, 1), (6, 0), (6, 1), (20, 0), (20, 1)])
def test_persons_that_meet_are_not_exchanged(gap, turns_back, coordinates):
    """Both are lost when they meet, and the one that moves less before moves more after it."""
    time = np.arange(100)
    away = np.abs(time - 50) if turns_back else time - 50
    places = 3 - 0.02 * away, 3.5 + 0.02 * away
    amounts = (0.1, 0.02), (0.03, 0.15)
    tracks = [
        moving(amount, start, stop, 100, place, coordinates)
        for place, both in zip(places, amounts)
        for amount, start, stop in zip(both, (0, 50 + gap), (50, 100))
    ]
    expected = {(tracks[0] + tracks[1]).tobytes(), (tracks[2] + tracks[3]).tobytes()}
    for order in ([0, 1, 2, 3], [3, 0, 2, 1], [1, 3, 2, 0]):
        joined = join_tracks(np.stack(tracks)[order], 2)
        assert {person.tobytes() for person in joined} == expected
