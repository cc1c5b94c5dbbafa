"""PoseStatistics: its numbers, padding and absent persons."""

from __future__ import annotations

import statistics

import torch

from research.parts.pose_statistics import PoseStatistics


def test_each_value_by_itself_over_the_valid_frames():
    torch.manual_seed(0)
    clips = torch.randn(2, 2, 6, 3, 4)
    clips[0, :, 4:] = 0  # padding
    clips[1, 1] = 0  # an absent person
    out = PoseStatistics()(clips)
    assert out.shape == (2, 1, 2 * 2 * 3 * 4, 1, 1)
    means, deviations = out.view(2, 2, 2, 3, 4).unbind(1)
    for clip, frames in ((0, 4), (1, 6)):
        for person in range(2):
            for joint in range(3):
                for axis in range(4):
                    series = clips[clip, person, :frames, joint, axis].double().tolist()
                    place = clip, person, joint, axis
                    assert abs(means[place] - statistics.fmean(series)) < 1e-5
                    assert abs(deviations[place] - statistics.pstdev(series)) < 1e-5


def test_it_has_no_weights():
    assert not PoseStatistics().state_dict()
