"""A student is evaluated with the network and on the inputs that it was trained with."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.apis.card import read_card
from mmact_ssl.engine.launch import parse_cfg_options, read_config
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation import student, student_inputs
from mmact_ssl.evaluation.downstream import find_downstream
from mmact_ssl.evaluation.student import build_recognizer, with_saved_backbone
from mmact_ssl.evaluation.student_inputs import with_saved_inputs
from mmact_ssl.saved_run import SavedRun
from tests.shipped import CONFIGS, ROOT, TOP_LEVEL, load, loaders, parsed, steps

# Sets to evaluate students of other data on.
STAND_INS = dict(kinetics400='ucf101', skeletons='nwucla', videos='jhmdb')
STRIDE, STREAMS = 'SampleFrames.frame_interval', 'BonesAndMotion.streams'
RESAMPLED = 'ResampleFrames.num_frames'
TWO_VIEWS, SKELETONS = 'ms2l-twoview_gru.py@nwucla', 'downstream/gru-streams.py@nwucla'
PUBLISHED = {path.name.rpartition('-')[0]: path for path in ROOT.glob('zoo/*.safetensors')}


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    for module in (student, student_inputs):
        monkeypatch.setattr(module, 'print_log', lambda text, *_, **__: lines.append(text))
    return lines


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    init_default_scope('mmaction')
    monkeypatch.setattr(student.os.path, 'getsize', lambda path: 1 << 30)


def record(cfg: Config) -> SavedRun:
    """A training checkpoint without weights that records its config; of any size."""
    return SavedRun(__file__, dict(meta=dict(cfg=cfg.pretty_text)))


def trained(name: str, changes: Mapping[str, Any]) -> SavedRun:
    """A training by a shipped config, with other arguments ``'TRANSFORM.ARGUMENT'``."""
    cfg = load(name)
    for key, value in changes.items():
        kind, _, argument = key.partition('.')
        for step in steps(loaders(cfg), kind):
            step[argument] = value
    return record(cfg)


def published() -> SavedRun:
    return SavedRun.read(PUBLISHED['dtg_r3d_utdmhad'])


def both(cfg: Config, key: str) -> list[Any]:
    """An argument in the pipelines of fine-tuning and of the test."""
    kind, _, argument = key.partition('.')
    return [step[argument] for step in steps(loaders(cfg), kind)]


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_a_shipped_training_and_its_evaluation_have_the_same_inputs(name, said):
    cfg = parsed(name)
    dataset = STAND_INS.get(cfg.dataset_name, cfg.dataset_name)
    on = '' if 'own_folder' in cfg else f'@{dataset}'
    evaluated = load(f'downstream/{cfg.backbone_name}.py{on}')
    assert with_saved_inputs(evaluated, record(cfg)) is evaluated
    assert not said


@pytest.mark.parametrize('name', sorted(PUBLISHED))
def test_a_published_file_is_evaluated_and_loaded_as_its_card_has_it(name, said):
    saved = SavedRun.read(PUBLISHED[name])
    figures = read_card(saved.path).results
    dataset = figures[0]['dataset'] if figures else saved.dataset_name
    cfg = load(f'downstream/{saved.backbone_name}.py@{dataset}')
    assert with_saved_backbone(cfg, saved) is cfg
    assert not said
    build_recognizer(cfg, 0, saved)


VIEW = {'SampleViews.clip': dict(stride=4)}


@pytest.mark.parametrize(
    ('training', 'changes', 'name', 'key', 'value'),
    [
        # Its views have several strides: that of the data set counts.
        ('hcpg_r3d18-small.py@utdmhad', {}, 'r3d18-small.py@jhmdb', STRIDE, 4),
        ('videomae_vit-tiny.py@jhmdb', VIEW, 'vit-tiny.py@jhmdb', STRIDE, 4),
        ('downstream/stgcn.py@demo-skeleton', {}, 'stgcn.py@ntu60-xsub', RESAMPLED, 32),
        (TWO_VIEWS, {}, 'gru-streams.py@nwucla', 'NormalizeSkeleton.mode', 'body_axes'),
        (TWO_VIEWS, {}, 'gru-streams.py@nwucla', 'BonesAndMotion.motion_scale', 1),
        (TWO_VIEWS, {}, 'gru-streams.py@nwucla', STREAMS, ['motion', 'bone', 'joint']),
    ],
)
def test_clips_are_prepared_as_in_the_training(training, changes, name, key, value, said):
    saved, cfg = trained(training, {key: value, **changes}), load(f'downstream/{name}')
    before, (kind, _, argument) = cfg.to_dict(), key.partition('.')
    found = with_saved_backbone(cfg, saved)
    assert both(found, key) == [value, value]
    assert f'trained with {key}=' in said[0] and len(said) == 1
    assert cfg.to_dict() == before
    # The rest stays.
    for step in steps([loaders(found), loaders(cfg)], kind):
        step.pop(argument, None)
    assert found.to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    ('name', 'network'),
    [
        ('c2vl_stgcn.py@nwucla', 'stgcn'),
        ('barlow_gru.py@nwucla', 'gru'),
        ('ms2l-twoview_gru.py@nwucla', 'gru-streams'),
        ('csvr_r3d18-small.py@jhmdb', 'r3d18-small'),
    ],
)
def test_a_checkpoint_of_ones_own_set_is_published_as_it_is_evaluated(name, network, tmp_path):
    training, mine = load(name), tmp_path / 'mine.py'
    like = CONFIGS / f'_base_/sets/{training.dataset_name}.py'
    values = dict(dataset_name='mine', clip_frames=48, frame_interval=8, flip_ratio=0.0)
    lines = [f'{key} = {value!r}\n' for key, value in values.items()]
    mine.write_text('\n'.join([like.read_text(), *lines]))
    training.merge_from_dict(values)
    for step in steps(loaders(training), 'SampleViews'):
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


def test_frames_are_normalized_as_in_the_training(said):
    cfg, training = load('downstream/tsm-lite0.py@jhmdb'), load('dtg_tsm-lite0.py@jhmdb')
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    training.model.data_preprocessor.update(mean=mean, std=std)
    found = with_saved_backbone(cfg, record(training)).model.data_preprocessor
    assert (found.mean, found.std, found.format_shape) == (mean, std, 'NCHW')
    assert ['.mean=[' in said[0], '.std=[' in said[1]] == [True, True]


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
    assert both(found, STRIDE) == [2 if kept else 4] * 2
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
    training = load(TWO_VIEWS)
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
    general = load(TWO_VIEWS)
    general.train_dataloader.dataset.pipeline.insert(0, dict(type='ToCommonJoints'))
    cfg = load(common)
    cfg.test_dataloader.dataset.pipeline.pop(0)
    answer = rf'trained with ToCommonJoints, and .*gru-streams\S* evaluates it without ToC.*: {fix}'
    with pytest.raises(ConfigError, match=answer):
        with_saved_inputs(cfg, record(general))
    bare = copy.deepcopy(general)
    bare.train_dataloader.dataset.pipeline.pop(0)
    with pytest.raises(ConfigError, match='trained without ToCommonJoints, and .* it with ToC'):
        with_saved_inputs(load(common), record(bare))
    two = trained(TWO_VIEWS, {STREAMS: ('joint', 'motion')})
    with pytest.raises(ConfigError, match=r'streams=\["joint","motion"\], and .*\["joint","bone"'):
        with_saved_inputs(load(SKELETONS), two)


def test_another_crop_is_refused_unless_it_is_your_choice(said):
    cfg, fix = load('downstream/r3d18-small.py@jhmdb'), 'give a downstream config'
    published_at_96 = published()
    for step in steps(published_at_96.card, 'CenterCrop'):
        step['crop_size'] = 96
    trained_at_96 = trained('hcpg_r3d18-small.py@jhmdb', {'CenterCrop.crop_size': 96})
    for saved in (trained_at_96, published_at_96):
        with pytest.raises(ConfigError, match=rf'\[96,96\], and .* it with C.*=\[64,64\]: {fix}'):
            with_saved_inputs(cfg, saved)
        chosen = 'test_dataloader.dataset.pipeline.4.crop_size=64'
        with_saved_inputs(cfg, saved, [chosen])
        assert 'with CenterCrop.crop_size=[64,64], which is kept as your choice' in said[-1]


@pytest.mark.parametrize(
    ('key', 'value', 'reason'),
    [
        ('BonesAndMotion.motion_scale', 'os.system', 'is os.system, a value of another type'),
        (STREAMS, 3, 'is 3, a value of another type'),
        ('BonesAndMotion.motion_scale', 1e30, r'is 1e\+30, refused'),
        ('NormalizeSkeleton.mode', '../a', r"is '\.\./a', refused: not a name"),
    ],
)
def test_a_recorded_value_is_checked(key, value, reason):
    with pytest.raises(CheckpointError, match=f'{key.partition(".")[2]} {reason}'):
        with_saved_inputs(load(SKELETONS), trained(TWO_VIEWS, {key: value}))


FRAMES = 'not a number of 1 to 1000'


@pytest.mark.parametrize(
    ('key', 'value', 'reason'),
    [
        *((STRIDE, value, FRAMES) for value in (0, -4, True, 4.0, 10**9)),
        *(('SampleFrames.clip_len', value, FRAMES) for value in (0, 10**4)),
        ('data_preprocessor.std', [0.0, 0.0, 0.0], 'and deviations are'),
    ],
)
def test_a_value_of_a_card_is_checked(key, value, reason):
    saved, (kind, _, argument) = published(), key.partition('.')
    for part in [*steps(saved.card['pipeline'], kind), saved.card['preprocessor']]:
        part.update({argument: value})
    with pytest.raises(CheckpointError, match=f'{key} is .*, {reason}'):
        with_saved_inputs(load('downstream/r3d18-small.py@jhmdb'), saved)


TEXTS = ['', 'model = 3', 'model = dict(backbone=3)', 'train_dataloader = dict(dataset=2)', 'a = {']


@pytest.mark.parametrize('text', TEXTS)
def test_a_file_without_a_record_takes_the_config(text, said):
    cfg = load(SKELETONS)
    for saved in (SavedRun('a.pth', dict(meta=dict(cfg=text))), SavedRun('a.safetensors', {}, {})):
        assert with_saved_inputs(cfg, saved) is with_saved_backbone(cfg, saved) is cfg
    assert not said


# --- the network -----------------------------------------------------------------------------


def shift(options: Sequence[str] = ()) -> Config:
    """TSM's ResNet-50 as mmaction2 spells it."""
    cfg = load('downstream/tsm-lite0.py@ucf101')
    network = dict(type='mmaction.ResNetTSM', depth=50, num_segments=8, shift_div=8)
    cfg.merge_from_dict({'model.backbone': {**network, '_delete_': True}})
    cfg.merge_from_dict(parse_cfg_options(options))
    return cfg


@pytest.mark.parametrize(
    ('make', 'option', 'message'),
    [
        (shift, 'num_segments=1', 'num_segments=1, not 8'),
        (shift, 'shift_place=block', ''),
        (shift, 'strides=[1,2,2,1]', ''),
        (partial(load, 'downstream/stgcn.py@nwucla'), 'mode=spatial', 'mode=spatial'),
        (partial(load, SKELETONS), 'encoder.num_layers=1', "'num_layers': 1"),
    ],
)
def test_the_recorded_network_takes_the_place_of_the_configs(make, option, message, said):
    wanted = make([f'model.backbone.{option}'])
    found = with_saved_backbone(make(), record(wanted)).model.backbone
    wanted = wanted.model.backbone
    for part in option.partition('=')[0].split('.'):
        found, wanted = found[part], wanted[part]
    assert str(found) == str(wanted)
    assert message in ''.join(said)


def test_a_downstream_config_keeps_pooling_and_what_is_trained(said):
    trained = shift()
    trained.model.backbone.update(
        frozen_stages=2, norm_eval=True, with_cp=True, out_indices=(2, 3), shift_div=4
    )
    own = shift(['model.backbone.frozen_stages=1', 'model.backbone.norm_eval=False'])
    found = with_saved_backbone(own, record(trained)).model.backbone
    assert (found.frozen_stages, found.norm_eval, found.shift_div) == (1, False, 4)
    assert 'out_indices' not in found and 'pretrained' not in found
    silent = shift()
    for key in ('frozen_stages', 'norm_eval', 'norm_cfg'):
        silent.model.backbone.pop(key, None)
    trained.model.backbone.norm_cfg = dict(type='SyncBN', requires_grad=False, eps=0.1)
    found = with_saved_backbone(silent, record(trained)).model.backbone
    assert not {'frozen_stages', 'norm_eval', 'with_cp'} & set(found), 'all layers are trained'
    assert found.norm_cfg == dict(type='SyncBN', eps=0.1)


def test_other_data_than_that_of_the_training_is_refused():
    cfg = load(SKELETONS)
    for option in ('layout=ntu25', 'in_channels=2'):
        trained = load(SKELETONS, [f'model.backbone.encoder.{option}'])
        with pytest.raises(ConfigError, match=f'trained on data of {option}, and .* has '):
            with_saved_backbone(cfg, record(trained))


def test_nothing_that_is_not_on_the_list_is_built():
    forged = shift()
    forged.model.backbone.norm_cfg = dict(type='os.system', command='true')
    with pytest.raises(ConfigError, match=r"'os\.system', refused.* in the training 'norm_cfg' is"):
        with_saved_backbone(shift(), record(forged))


def test_a_class_of_ones_own_has_the_arguments_of_the_training(said):
    own = load('downstream/r3d18-small.py@jhmdb')
    own.model.backbone.type = 'mmact_ssl.OwnNetwork'
    trained = copy.deepcopy(own)
    # Where weights start from and what is trained may differ.
    own.model.backbone.update(pretrained='start.pth', frozen_stages=1)
    assert with_saved_backbone(own, record(trained)) is own
    trained.model.backbone.update(type='OwnNetwork', temporal_strides=(1, 1, 1, 1), width='a\x1b')
    with pytest.raises(ConfigError) as error:
        with_saved_backbone(own, record(trained))
    message = str(error.value)
    assert "'OwnNetwork', refused: not on the list" in message
    assert "'temporal_strides' is (1, 1, 1, 1), not " in message
    assert "'width' is 'a\\x1b', not None" in message
    assert 'depth' not in message and 'frozen' not in message and 'pretrained' not in message
    assert not said


def test_a_network_larger_than_its_file_is_refused(monkeypatch):
    monkeypatch.setattr(student.os.path, 'getsize', lambda path: 10)
    monkeypatch.setattr('mmact_ssl.parts.SPARE_VALUES', 1000)
    trained = shift(['model.backbone.num_segments=1'])
    with pytest.raises(CheckpointError, match='its network is larger than the file'):
        with_saved_backbone(shift(), record(trained))


def test_weights_that_fit_two_networks_are_those_of_the_recorded_one(
    linear_config, student_checkpoint
):
    content = torch.load(student_checkpoint)
    trained = copy.deepcopy(linear_config)
    trained.model.backbone.temporal_strides = (1, 1, 1, 1)
    torch.save({**content, 'meta': dict(cfg=trained.pretty_text)}, student_checkpoint)
    saved = SavedRun.read(student_checkpoint)
    built = build_recognizer(with_saved_backbone(linear_config, saved), 0, saved)
    wanted = build_recognizer(trained, 0, saved)
    clip = torch.randn(1, 3, 8, 16, 16)
    for network in (built, wanted):
        network.eval()
    with torch.no_grad():
        torch.testing.assert_close(built.backbone(clip), wanted.backbone(clip))
    assert built.backbone(clip).shape[2] == 8, 'of the clip'
