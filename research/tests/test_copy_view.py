"""CopyView: the frames of a clip in a view with a mask."""

from __future__ import annotations

import numpy as np

from mmact_ssl.datasets.transforms.formatting import PackInputs
from mmact_ssl.datasets.transforms.masks import MaskTubes
from research.parts.copy_view import CopyView
from tests.test_datasets.test_transforms.test_masks import sample


def test_another_view_shows_the_frames_with_a_mask_and_is_packed():
    np.random.seed(0)
    results = MaskTubes('masked', (2, 4, 8))(CopyView('masked', 'clip')(sample()))
    packed = PackInputs(views=('clip', 'masked'))(results)
    assert packed['inputs']['masked'].equal(packed['inputs']['clip'])
    assert packed['targets']['masked']['valid'].tolist() == [True, True, True, False]
    assert 'mask' in packed['targets']['masked'] and 'mask' not in packed['targets']['clip']
