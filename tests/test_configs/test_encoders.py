"""Every shipped encoder, and that each pre-training config makes views as its encoder does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mmact_ssl.configs.encoder_config import EncoderConfig, read_encoder, shipped_encoders
from mmact_ssl.configs.shipped_configs import load_config
from mmact_ssl.engine.record import record_training
from tests.shipped import SKELETON_ENCODERS, TOP_LEVEL, load, load_evaluation, steps

NAMES = [name for name in shipped_encoders() if name != 'hf-video']  # needs a folder
# Smaller than its encoder's, for minutes on two cores.
OTHER_SIZES = {'csvr_r3d_demo-quick.py': {(48, 48)}}


def normalizations(part: Any) -> list[Any]:
    """Axes of skeletons, and what is computed of their joints."""
    kinds = ('NormalizeSkeleton', 'BonesAndMotion')
    return [dict(step, type='') for kind in kinds for step in [*steps(part, kind)][:1]]


def lengths(part: Any) -> set[int]:
    """Numbers of frames of skeleton clips of a fixed length."""
    found = {step.get('num_frames') for step in steps(part, 'ResampleFrames', 'TemporalCrop')}
    return found - {None}


def sizes(part: Any) -> set[tuple[int, int]]:
    """Sizes of frames after the last change of size."""
    crops = {step['crop_size'] for step in steps(part, 'CenterCrop')}
    resized = [tuple(step['scale']) for step in steps(part, 'Resize') if step['scale'][0] > 0]
    return {(side, side) for side in crops} | {*resized}


def trained_encoder(config: Any) -> EncoderConfig:
    return EncoderConfig('mmact_ssl::encoders/mine.py', **config.encoder.to_dict())


def views_read(config: Any) -> set[str]:
    """Views that the student or its moving average reads."""
    averaged = config.model.get('momentum_encoder') or {}
    return {*config.model.encode, *averaged.get('views', ())}


TRAINED = {name: name.partition('.')[0].split('_')[1] for name in TOP_LEVEL}
OF_VIDEOS = [name for name, student in TRAINED.items() if student[0] in 'rtv']
OF_SKELETONS = [name for name, student in TRAINED.items() if student[0] in 'gs']


@pytest.mark.parametrize('name', OF_VIDEOS)
def test_frames_of_a_training_are_those_of_its_encoder(name: str):
    config = load(name)
    encoder = trained_encoder(config)
    model, dataset = config.model, config.train_dataloader.dataset
    colors = {key: encoder.preprocessor[key] for key in ('mean', 'std')}
    assert {key: list(model.data_preprocessor[key]) for key in colors} == colors
    assert sizes(dataset) == OTHER_SIZES.get(name, sizes(encoder.clip))
    assert sizes(config.get('test_dataloader')) <= sizes(encoder.clip)
    (clip,) = steps(encoder.clip, 'SampleFrames')
    (drawn,) = steps(dataset, 'SampleViews')
    is_shuffled = any(steps(dataset, 'ShuffleViewSegments'))  # views of their own length
    for view in views_read(config):
        frames, stride = drawn[view]['num_frames'], drawn[view].get('stride')
        if clip['clip_len'] == 1:  # frames of equal parts, or of a run
            assert frames == clip['num_clips'] == encoder.backbone['num_segments']
            assert drawn[view].get('segments') or stride
            continue
        assert frames == clip['clip_len'] or is_shuffled
        assert clip['frame_interval'] in (stride if isinstance(stride, tuple) else (stride,))


@pytest.mark.parametrize('name', OF_SKELETONS)
def test_skeletons_of_a_training_are_those_of_its_encoder(name: str):
    config = load(name)
    encoder, dataset = trained_encoder(config), config.train_dataloader.dataset
    assert normalizations(dataset) == normalizations(encoder.clip) != []
    (make,) = steps(dataset, 'MakeSkeletonViews')
    for view in views_read(config):
        if any(steps(make['views'][view], 'RandomStride')):
            continue  # a GRU reads any number of frames
        assert lengths(make['views'][view]) == lengths(encoder.clip), view
    options = dict(encoder.options, num_persons=encoder.options['persons'])
    for head in filter(None, config.model.heads.values()):
        for key in {*head} & {*options}:
            assert head[key] == options[key], key


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_a_training_records_a_shipped_encoder(name: str, tmp_path: Path):
    config = load(name, [f'work_dir={tmp_path}'])
    found = record_training(config)
    source = f'mmact_ssl::encoders/{config.encoder.name}.py'
    assert found['encoder'] == dict(config=source, options=config.encoder.options)
    assert found['config'] == name.partition('.')[0]
    assert found['data'] == config.dataset_name
    assert bool(found['labels']) == bool(re.search('joint|moving', name))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize('name', NAMES)
def test_fine_tuning_reads_what_the_encoder_reads(name: str):
    config = load_evaluation(name, 'nwucla' if name in SKELETON_ENCODERS else 'jhmdb')
    train, test = (config[f'{split}_dataloader'].dataset for split in ('train', 'test'))
    for facts in (normalizations, lengths, sizes):
        assert facts(train) == facts(test)
    for kinds in ('PadFrames', 'FormatGCNInput', 'FormatShape'):
        assert [*steps(train, kinds)] == [*steps(test, kinds)]
    for one, other in zip(steps(train, 'SampleFrames'), steps(test, 'SampleFrames')):
        assert {key: one[key] for key in ('clip_len', 'frame_interval')} == {
            key: other[key] for key in ('clip_len', 'frame_interval')
        }
    assert not re.search(r"'\$|_delete_", str(config.to_dict()))


@pytest.mark.parametrize('name', NAMES)
def test_an_encoder_has_its_own_name_and_uses_its_options(name: str):
    parts = load_config(f'mmact_ssl::encoders/{name}.py').to_dict()
    assert {*parts} == {'encoder'}
    encoder = parts['encoder']
    assert encoder['name'] == name == read_encoder(name).name
    options, settings = encoder.pop('options'), encoder['finetune'].pop('settings')
    for option in options:
        assert f"'${option}'" in str({**encoder, 'finetune': {}}), option
    for setting in settings:
        assert f"'${setting}'" in str(encoder['finetune']), setting
    filled = read_encoder(name)
    described = {**vars(filled), 'finetune': {}}
    assert '$' not in str(described) and '_delete_' not in str(vars(filled))
