"""Settings of SampleViews that nothing reads."""

from __future__ import annotations

import pytest

from mmact_ssl.datasets.transforms.views import SampleViews
from mmact_ssl.errors import ConfigError

CLIP = {'num_frames': 4, 'stride': 3}
SEGMENTS = {'num_frames': 8, 'segments': True}


@pytest.mark.parametrize(
    ('views', 'message'),
    [
        (dict(clip=dict(SEGMENTS, strides=2)), r'clip\.strides .*num_frames, stride, segments'),
        (dict(clip=CLIP, clip_b=dict(CLIP, segment=True)), r'clip_b\.segment is'),
        (dict(clip=CLIP, future=SEGMENTS), r'future\.segments is'),
        (dict(clip=CLIP, keyframes=CLIP), r'keyframes\.stride is not a setting, use num_frames$'),
        (dict(clip=CLIP, clip_b=dict(SEGMENTS, stride=2)), 'clip_b has segments and stride'),
    ],
)
def test_they_are_refused(views, message):
    with pytest.raises(ConfigError, match=message):
        SampleViews(**views)
