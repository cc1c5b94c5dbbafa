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
        (
            dict(clip=CLIP, clip_b=dict(SEGMENTS, stride=2)),
            'clip_b has segments and stride, set clip_b.stride=None',
        ),
        (
            dict(clip=dict(SEGMENTS, stride=None), future=dict(num_frames=1, stride=None)),
            'set future.stride$',
        ),
    ],
)
def test_they_are_refused(views, message):
    with pytest.raises(ConfigError, match=message):
        SampleViews(**views)


def test_none_takes_a_setting_out():
    """As where a config inherits one with a stride."""
    views = SampleViews(
        clip=dict(SEGMENTS, stride=None), clip_b=dict(CLIP, segments=None), differ=True
    )
    assert views.clips == dict(clip=SEGMENTS, clip_b=CLIP)
