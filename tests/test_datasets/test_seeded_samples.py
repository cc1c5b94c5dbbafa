"""The replacement of broken samples, and the draws that do not touch the caller's."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset

from mmact_ssl.datasets.seeded_samples import SeededSamples, build_pipeline, seeded, with_inner
from mmact_ssl.errors import BrokenSampleError, DataError
from tests.shipped import load


class Numbers(SeededSamples, BaseDataset):
    """Samples 0, 1, …; those in ``broken`` raise."""

    def __init__(self, count, broken, more=(), **kwargs):
        self.count, self.broken = count, broken
        super().__init__('numbers.txt', [self.check, *more], **kwargs)

    def load_data_list(self):
        return [{'number': number, 'filename': f'{number}'} for number in range(self.count)]

    def check(self, results):
        if results['number'] in self.broken:
            raise BrokenSampleError(str(results['number']), 'odd')
        return results


def test_too_many_broken_samples_end_the_search():
    with pytest.raises(DataError, match=r'11 samples of numbers\.txt in a row are broken'):
        Numbers(5, broken=set(range(5)))[0]
    with pytest.raises(DataError, match='in a row'):  # there is no other
        Numbers(1, broken={0})[0]


class NameCheck:
    """Keeps what it is shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, results):
        return results

    def check_names(self, filenames):
        self.shown.append(list(filenames))


def test_transforms_are_shown_the_names_once_when_the_annotation_is_read():
    first, second = NameCheck(), NameCheck()
    Numbers(4, set(), more=[first, second], indices=[3, 1])
    assert first.shown == second.shown == [['3', '1']]


def test_members_of_joined_data_sets_draw_apart_and_the_first_as_alone():
    def draw(results):
        return results['number'], np.random.rand()

    def numbers(count):
        return Numbers(count, set(), more=[draw])

    joined, alone = ConcatDataset([numbers(2), numbers(3)]), numbers(2)
    for dataset in (joined, alone):
        for part, first in [*with_inner(dataset)][-2:]:
            part.set_progress(5, 1, first)
    assert [number for number, _ in joined] == [0, 1, 0, 1, 2]
    assert len({value for _, value in joined}) == 5
    assert [joined[0], joined[1]] == [alone[0], alone[1]]


def test_the_callers_generators_go_on_where_they_were():
    def draws():
        return random.random(), np.random.rand(), torch.rand(1).item()

    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = draws(), draws()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    first = draws()
    with seeded((3, 1)):
        inside = draws()
    assert (first, draws()) == expected
    with seeded((3, 1)):
        assert draws() == inside not in expected
    with seeded((3, 2)):
        assert draws() != inside


class Binder(NameCheck):
    """Draws what a teacher that is built would draw."""

    target, cache = 'pose', 'pose.lmdb'

    def bind(self, root, videos):
        self.bound = root, videos, np.random.rand()


def test_transforms_are_found_whatever_the_default_scope_and_learn_the_folder():
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    binder = Binder()
    pipeline = build_pipeline([{'type': 'mmaction.PoseDecode'}, binder], 'data/x', videos='y')
    assert len(pipeline.transforms) == 2 and binder.bound[:2] == ('data/x', 'y')
    assert (np.random.get_state()[1] == state).all()


def test_the_order_of_the_color_jitter_is_drawn_for_each_sample():
    """Of one picture and one strength each, some samples differ by the order of the steps alone."""
    jitter = load('dtg_r3d18-small.py@jhmdb').jitter
    jitter.update(brightness=(1.4, 1.4), contrast=(0.5, 0.5), saturation=(0.3, 0.3), hue=(0.1, 0.1))
    pipeline = build_pipeline([jitter])
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    found = set()
    for seed in range(20):
        with seeded((seed,)):
            one, other = pipeline({'imgs': [picture, picture.copy()]})['imgs']
        np.testing.assert_array_equal(one, other)  # all frames of a view alike
        found.add(one.tobytes())
    assert len(found) > 4
