"""A student is evaluated on the inputs that it was trained for."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmact_ssl.apis.card import read_card
from mmact_ssl.engine.launch import read_config
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation import student_inputs as module
from mmact_ssl.evaluation.downstream import config_for, find_downstream
from mmact_ssl.evaluation.student import with_saved_backbone
from mmact_ssl.evaluation.student_inputs import with_saved_inputs
from mmact_ssl.saved_run import SavedRun
from tests.shipped import CONFIGS, ROOT, TOP_LEVEL, load, own_folder_of_videos, parsed, steps

# Sets to evaluate students of other data on.
STAND_INS = dict(kinetics400='ucf101', skeletons='nwucla', videos='jhmdb')
SKELETONS, VIDEOS = 'downstream/gru-streams.py@nwucla', 'downstream/tsm-lite0.py@jhmdb'
PUBLISHED = {path.name.rpartition('-')[0]: path for path in ROOT.glob('zoo/*.safetensors')}


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(module, 'print_log', lambda text, *_: lines.append(text))
    return lines


def record(cfg: Config) -> SavedRun:
    """A training checkpoint without weights that records its config."""
    return SavedRun(__file__, dict(meta=dict(cfg=cfg.pretty_text)))


def trained(name: str, kind: str = '', **changes: Any) -> SavedRun:
    """A training by a shipped config, with other arguments of one kind of transforms."""
    cfg = load(name)
    for step in steps([cfg.train_dataloader, cfg.test_dataloader], kind):
        step.update(changes)
    return record(cfg)


def published(**changes: Any) -> SavedRun:
    """A published file, with another card."""
    saved = SavedRun.read(PUBLISHED['dtg_r3d_utdmhad'])
    return SavedRun(saved.path, saved.content, {**(saved.card or {}), **changes})


def both(cfg: Config, kind: str, key: str) -> list[Any]:
    """An argument in the pipelines of fine-tuning and of the test."""
    return [
        step[key]
        for loader in (cfg.train_dataloader, cfg.test_dataloader)
        for step in steps(loader, kind)
    ]


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_a_shipped_training_and_its_evaluation_have_the_same_inputs(name, said):
    cfg = parsed(name)
    dataset = STAND_INS.get(cfg.dataset_name, cfg.dataset_name)
    on = '' if 'own_folder' in cfg else f'@{dataset}'
    evaluated = load(f'downstream/{cfg.backbone_name}.py{on}')
    assert with_saved_inputs(evaluated, record(cfg)) is evaluated
    assert not said


@pytest.mark.parametrize('name', sorted(PUBLISHED))
def test_a_published_file_is_evaluated_as_its_card_has_it(name, said):
    saved = SavedRun.read(PUBLISHED[name])
    figures = read_card(saved.path).results
    dataset = figures[0]['dataset'] if figures else saved.dataset_name
    cfg = load(f'downstream/{saved.backbone_name}.py@{dataset}')
    assert with_saved_inputs(cfg, saved) is cfg
    assert not said


@pytest.mark.parametrize(
    'make',
    [
        published,
        # Its views have several strides: that of the data set counts.
        lambda: trained('hcpg_r3d18-small.py@utdmhad'),
        lambda: trained('videomae_vit-tiny.py@jhmdb', 'SampleViews', clip=dict(stride=4)),
    ],
)
def test_the_stride_of_a_student_goes_along_to_a_folder(make, said):
    saved = make()
    cfg = config_for(saved, own_folder_of_videos())
    found = with_saved_backbone(cfg, saved)
    assert both(found, 'SampleFrames', 'frame_interval') == [4, 4]
    assert both(cfg, 'SampleFrames', 'frame_interval') == [2, 2], 'the config itself stays'
    taken = 'trained with SampleFrames.frame_interval=4, not 2, and evaluated the same way'
    assert said == [f'{saved.path}: {taken}']


@pytest.mark.parametrize(
    ('name', 'network'),
    [
        ('c2vl_stgcn.py@nwucla', 'stgcn'),
        ('barlow_gru.py@nwucla', 'gru'),
        ('ms2l-twoview_gru.py@nwucla', 'gru-streams'),
        ('csvr_r3d18-small.py@jhmdb', 'r3d18-small'),
    ],
)
def test_a_checkpoint_of_ones_own_set_is_published_as_it_is_evaluated(
    name, network, tmp_path, monkeypatch
):
    # The file is this test, smaller than the network.
    monkeypatch.setattr('mmact_ssl.evaluation.student.os.path.getsize', lambda path: 1 << 30)
    training, mine = load(name), tmp_path / 'mine.py'
    like = CONFIGS / f'_base_/sets/{training.dataset_name}.py'
    values = dict(dataset_name='mine', clip_frames=48, frame_interval=8, flip_ratio=0.0)
    lines = [f'{key} = {value!r}\n' for key, value in values.items()]
    mine.write_text('\n'.join([like.read_text(), *lines]))
    training.merge_from_dict(values)
    for step in steps([training.train_dataloader, training.test_dataloader], 'SampleViews'):
        clips = {view: clip for view, clip in step.items() if isinstance(clip, dict)}
        step.update({view: dict(clip, stride=8) for view, clip in clips.items()})
    saved, path = record(training), str(CONFIGS / f'downstream/{network}.py')
    evaluated = with_saved_backbone(read_config(path, dataset=str(mine)), saved).test_dataloader
    mine.unlink()
    published = find_downstream(saved, path).test_dataloader
    assert published.dataset.pipeline == evaluated.dataset.pipeline


@pytest.mark.parametrize(
    ('key', 'value', 'limits'),
    [
        *(
            ('clip_frames', value, '1 to 1000')
            for value in (0, True, 9.0, 10**9, 'os.system', (64,))
        ),
        *(('flip_ratio', value, '0 to 1') for value in (7, -1, 'os.system', {})),
    ],
)
def test_recorded_values_of_a_set_are_checked(key, value, limits):
    cfg = load('c2vl_stgcn.py@nwucla')
    cfg.merge_from_dict({'dataset_name': 'mine', key: value})
    with pytest.raises(CheckpointError, match=f'{key} is .*, not a number of {limits}'):
        find_downstream(record(cfg))


@pytest.mark.parametrize(
    ('kind', 'key', 'value'),
    [
        ('NormalizeSkeleton', 'mode', 'body_axes'),
        ('BonesAndMotion', 'motion_scale', 1),
        ('BonesAndMotion', 'streams', ['motion', 'bone', 'joint']),
    ],
)
def test_skeletons_are_prepared_as_in_the_training(kind, key, value, said):
    saved = trained('ms2l-twoview_gru.py@nwucla', kind, **{key: value})
    cfg = load('downstream/gru-streams.py@nwucla')
    found = with_saved_backbone(cfg, saved)
    assert both(found, kind, key) == [value, value]
    assert f'trained with {kind}.{key}=' in said[0] and len(said) == 1
    # The rest stays.
    for step in steps([found.train_dataloader, found.test_dataloader], kind):
        step.pop(key)
    for step in steps([cfg.train_dataloader, cfg.test_dataloader], kind):
        step.pop(key, None)
    assert found.to_dict() == cfg.to_dict()


def test_frames_are_normalized_as_in_the_training(said):
    cfg, training = load(VIDEOS), load('dtg_tsm-lite0.py@jhmdb')
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    training.model.data_preprocessor.update(mean=mean, std=std)
    found = with_saved_backbone(cfg, record(training)).model.data_preprocessor
    assert (found.mean, found.std, found.format_shape) == (mean, std, 'NCHW')
    assert [re.findall(r'with (\S+)=\[', line) for line in said] == [
        ['data_preprocessor.mean'],
        ['data_preprocessor.std'],
    ]


def test_a_fine_tuned_network_keeps_its_frames(said):
    tuned = load('downstream/stgcn.py@demo-skeleton')
    found = with_saved_backbone(load('downstream/stgcn.py@ntu60-xsub'), record(tuned))
    assert both(found, 'ResampleFrames', 'num_frames') == [32, 32]
    assert 'ResampleFrames.num_frames=32, not 64' in said[0]


PLACE = 'test_dataloader.dataset.pipeline'


@pytest.mark.parametrize(
    ('option', 'kept'),
    [
        (f'{PLACE}.1.frame_interval=2', True),
        (f'{PLACE}.1.num_clips=10', False),
        (f'{PLACE}.1=dict', True),
        (f'{PLACE}=[]', True),
        ('train_dataloader.dataset.pipeline.1.frame_interval=2', True),
    ],
)
def test_an_option_stays_and_is_told(option, kept, said):
    cfg = load('downstream/r3d18-small.py@jhmdb')
    found = with_saved_inputs(cfg, published(), [option])
    assert both(found, 'SampleFrames', 'frame_interval') == [2 if kept else 4] * 2
    wanted = (
        'trained with SampleFrames.frame_interval=4, and evaluated with '
        'SampleFrames.frame_interval=2, which is kept as your choice: --cfg-options '
        f'{PLACE}.1.frame_interval=4 evaluates it as trained'
    )
    assert any(line.endswith(wanted) for line in said) == kept


def test_a_set_and_a_config_of_ones_own_stay_and_are_told(said, tmp_path: Path):
    saved = SavedRun.read(PUBLISHED['hcpg_r3d_jhmdb'])
    longer = load('downstream/r3d18-small.py@utdmhad')
    assert with_saved_inputs(longer, saved) is longer
    assert 'frame_interval=2, and evaluated with SampleFrames.frame_interval=4' in said[0]
    (tmp_path / 'own.py').write_text(f'_base_ = {str(CONFIGS / "downstream/gru-streams.py")!r}\n')
    own = read_config(str(tmp_path / 'own.py'), dataset='nwucla')
    training = load('ms2l-twoview_gru.py@nwucla')
    training.train_dataloader.dataset.pipeline[0].mode = 'body_axes'
    assert with_saved_inputs(own, record(training)) is own
    assert 'mode=body_axes, and evaluated with NormalizeSkeleton.mode=first_frame' in said[1]
    del training.train_dataloader.dataset.pipeline[0]
    assert with_saved_inputs(own, record(training)) is own
    assert 'without NormalizeSkeleton, and evaluated with NormalizeSkeleton' in said[2]
    assert len(said) == 3


def test_other_transforms_and_numbers_of_streams_are_refused():
    fix = 'give a downstream config with the inputs of the training'
    common = 'downstream/gru-streams-common.py@nwucla'
    general = load('ms2l-twoview_gru.py@nwucla')
    general.train_dataloader.dataset.pipeline.insert(0, dict(type='ToCommonJoints'))
    for crop in steps([general.train_dataloader], 'TemporalCrop'):
        crop.num_frames = 16
    cfg = load(common)
    cfg.test_dataloader.dataset.pipeline.pop(0)
    answer = rf'trained with ToCommonJoints, and .*gru-streams\S* evaluates it without ToC.*: {fix}'
    with pytest.raises(ConfigError, match=answer):
        with_saved_inputs(cfg, record(general))
    bare = copy.deepcopy(general)
    bare.train_dataloader.dataset.pipeline.pop(0)
    with pytest.raises(ConfigError, match='trained without ToCommonJoints, and .* it with ToC'):
        with_saved_inputs(load(common), record(bare))
    two = trained('ms2l-twoview_gru.py@nwucla', 'BonesAndMotion', streams=('joint', 'motion'))
    with pytest.raises(ConfigError, match=r'streams=\["joint","motion"\], and .*\["joint","bone"'):
        with_saved_inputs(load(SKELETONS), two)


def test_another_crop_is_refused_unless_it_is_your_choice(said):
    cfg, fix = load('downstream/r3d18-small.py@jhmdb'), 'give a downstream config'
    published_at_96 = published()
    for step in steps(published_at_96.card, 'CenterCrop'):
        step['crop_size'] = 96
    for saved in (
        trained('hcpg_r3d18-small.py@jhmdb', 'CenterCrop', crop_size=96),
        published_at_96,
    ):
        with pytest.raises(ConfigError, match=rf'\[96,96\], and .* it with C.*=\[64,64\]: {fix}'):
            with_saved_inputs(cfg, saved)
        chosen = 'test_dataloader.dataset.pipeline.4.crop_size=64'
        with_saved_inputs(cfg, saved, [chosen])
        assert 'with CenterCrop.crop_size=[64,64], which is kept as your choice' in said[-1]
    said.clear()
    same = trained('hcpg_r3d18-small.py@jhmdb', 'CenterCrop', crop_size=(64, 64))
    assert with_saved_inputs(cfg, same) is cfg and not said


@pytest.mark.parametrize(
    ('kind', 'key', 'value', 'reason'),
    [
        ('BonesAndMotion', 'motion_scale', 'os.system', 'motion_scale is os.system, a value of'),
        ('BonesAndMotion', 'streams', 3, 'streams is 3, a value of another type'),
        ('BonesAndMotion', 'motion_scale', 1e30, r'motion_scale is 1e\+30, refused'),
        ('NormalizeSkeleton', 'mode', '../a', r"mode is '\.\./a', refused: not a name"),
    ],
)
def test_a_recorded_value_is_checked(kind, key, value, reason):
    saved = trained('ms2l-twoview_gru.py@nwucla', kind, **{key: value})
    with pytest.raises(CheckpointError, match=reason):
        with_saved_inputs(load(SKELETONS), saved)


@pytest.mark.parametrize(
    ('kind', 'key', 'values'),
    [
        ('SampleFrames', 'frame_interval', [0, -4, True, 4.0, 10**9]),
        ('SampleFrames', 'clip_len', [0, 10**4]),
    ],
)
def test_frames_that_no_clip_can_have_are_refused(kind, key, values):
    saved = published()
    for value in values:
        for step in saved.card['pipeline']:
            if step['type'].endswith(kind):
                step[key] = value
        with pytest.raises(CheckpointError, match=f'{kind}.{key} is .*, not a number of 1 to 1000'):
            with_saved_inputs(load('downstream/r3d18-small.py@jhmdb'), saved)
    saved = published()
    saved.card['preprocessor']['std'] = [0.0, 0.0, 0.0]
    with pytest.raises(CheckpointError, match='data_preprocessor.std is .*, and deviations are'):
        with_saved_inputs(load('downstream/r3d18-small.py@utdmhad'), saved)


@pytest.mark.parametrize('text', ['', 'model = 3', 'train_dataloader = dict(dataset=2)', 'a = {'])
def test_a_file_without_a_record_takes_the_config(text, said):
    cfg = load(SKELETONS)
    assert with_saved_inputs(cfg, SavedRun('a.pth', dict(meta=dict(cfg=text)))) is cfg
    assert with_saved_inputs(cfg, SavedRun('a.safetensors', {}, {})) is cfg
    assert not said
