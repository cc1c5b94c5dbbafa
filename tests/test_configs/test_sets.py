"""Configs that name no data set read the one of ``--set``: a shipped one or a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmact_ssl.engine.launch import configure_training, read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.downstream import find_downstream
from mmact_ssl.saved_run import SavedRun
from tests.shipped import (
    CONFIGS,
    ROOT,
    load,
    loaders,
    own_folder,
    own_folder_of_videos,
    parsed,
    steps,
)
from tools.train import parse_args

NETWORKS = {'r3d18': 'video', 'tsm-lite0': 'video', 'gru': 'skeleton', 'stgcn': 'skeleton'}


@pytest.fixture
def own_set(tmp_path: Path) -> str:
    text = (CONFIGS / '_base_/sets/nwucla.py').read_text()
    (tmp_path / 'mine.py').write_text(text.replace("'nwucla'", "'mine'"))
    return str(tmp_path / 'mine.py')


@pytest.mark.parametrize('name', ['downstream/gru.py', 'c2vl_stgcn.py'])
def test_a_set_is_shipped_or_a_file(name, own_set):
    shipped, own = (
        read_config(str(CONFIGS / name), dataset=one).to_dict() for one in ('nwucla', own_set)
    )
    assert (shipped.pop('dataset_name'), own.pop('dataset_name')) == ('nwucla', 'mine')
    assert shipped == own


def test_a_run_has_the_name_of_config_and_set():
    args = parse_args([str(CONFIGS / 'c2vl_stgcn.py'), '--set', 'pkummd1'])
    assert configure_training(args).work_dir == 'work_dirs/c2vl_stgcn_pkummd1'


@pytest.mark.parametrize(
    ('name', 'dataset', 'answer'),
    [
        ('downstream/gru.py', 'jhmdb', '--set jhmdb does not go with .*of skeletons skeletons'),
        ('byol_r3d18-small.py', 'nwucla', 'nwucla holds skeletons, and .* reads videos'),
        ('downstream/r3d18.py', 'nwucla', '--set nwucla does not go with '),
        ('downstream/gru.py', 'nwulca', '--set nwulca: no such set; .*nwucla'),
        ('videomae_vit-b_k400.py', 'jhmdb', 'names its own data set: leave --set out'),
        ('dtg_tsm-lite0.py', '', 'this config names no data set: give --data DIR or --set NAME$'),
    ],
)
def test_what_does_not_go_together(name, dataset, answer):
    with pytest.raises(ConfigError, match=answer):
        read_config(str(CONFIGS / name), dataset=dataset or None)


def test_a_folder_and_a_set_are_not_read_at_once(monkeypatch, own_set):
    path = str(CONFIGS / 'downstream/gru.py')
    with pytest.raises(ConfigError, match='--data and --set both'):
        read_config(path, data=own_folder(), dataset='nwucla')
    monkeypatch.setenv('MMACT_SSL_SET', own_set)
    assert read_config(path).dataset_name == 'mine'
    assert read_config(path, data=own_folder()).dataset_name == 'own'


def test_a_student_of_a_folder_that_is_gone_has_its_bodies(tmp_path):
    text = load('ms2l_gru.py@nwucla').pretty_text
    changed = text.replace('kinect20', 'ntu25').replace("'nwucla'", "'gone'").replace('201', '77')
    torch.save(dict(state_dict={}, meta=dict(cfg=changed)), tmp_path / 'a.pth')
    found = find_downstream(SavedRun.read(tmp_path / 'a.pth'))
    assert found.model.backbone.layout == 'ntu25'
    assert [s.num_frames for s in steps(found.test_dataloader, 'PadFrames')] == [77]


def mirrors(cfg: Config) -> list[str]:
    """Steps of both pipelines that can make a left action a right one."""
    found = []
    for loader in loaders(cfg):
        flips = steps(loader.dataset.pipeline, 'Flip', 'SkeletonFlip', 'HorizontalFlip')
        found += [step.type for step in flips if step.get('flip_ratio', 0.5) > 0]
    return found


@pytest.mark.parametrize('path', [*CONFIGS.glob('*.py'), *CONFIGS.glob('downstream/*.py')])
def test_where_left_and_right_differ_nothing_is_mirrored(path):
    name = str(path.relative_to(CONFIGS))
    if not re.search('_k400|_demo', name):
        is_video = re.search('r3d|tsm|vit', name)
        assert not mirrors(parsed(f'{name}@{"utdmhad" if is_video else "utdmhad-skeleton"}'))


def test_a_config_with_a_default_set_takes_another_and_a_folder():
    path = str(CONFIGS / 'dtg_r3d18-small.py')
    named = [read_config(path), read_config(path, dataset='jhmdb')]
    own = read_config(path, data=own_folder_of_videos())
    assert [cfg.dataset_name for cfg in (*named, own)] == ['demo', 'jhmdb', 'own']


EVERY_KEY = r"""
dataset_name = 'mine'
synthetic = True
prepare_command = 'make mine'
data_root = '/nowhere/mine'
num_classes = 7
group_pattern = r'_g(.+)_'
one_standard_error = True
flip_ratio = 0.0
frame_interval = 5
clip_frames = 48
pose_layout = 'kinect20'
pose_joints = 20
pretrain_epochs = 200
few_clips = True
performance_pattern = r'(.+)_v\d+$'
bodies = dict(layout='kinect20', num_persons=1)
pad = dict(type='PadFrames', num_frames=99)
format_bodies = dict(type='mmaction.FormatGCNInput', num_person=1)
folder = dict(data_prefix=dict({kind}=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{{data_root}}/one.txt', **folder)
test_set = dict(ann_file=f'{{data_root}}/two.txt', **folder)
"""


@pytest.mark.parametrize('network', NETWORKS)
def test_every_documented_key_of_a_set_is_read(network, tmp_path):
    page = (ROOT / 'docs/extend/add_a_dataset.md').read_text()
    rows = re.findall(r'^\| (`.+?) \|', page, re.M)
    keys = set(re.findall(r'`(\w+_\w+)', ' '.join(row for row in rows if '.py' not in row)))
    assert {'flip_ratio', 'clip_frames'} <= keys
    assert all(f'\n{key} = ' in EVERY_KEY for key in keys)
    kind = NETWORKS[network]
    (tmp_path / 'mine.py').write_text(EVERY_KEY.format(kind=kind))
    cfg = read_config(str(CONFIGS / f'downstream/{network}.py'), dataset=str(tmp_path / 'mine.py'))
    assert (cfg.dataset_name, cfg.synthetic, cfg.prepare_command) == ('mine', True, 'make mine')
    assert cfg.model.cls_head.num_classes == 7
    places = [(one.dataset.ann_file, one.dataset.data_prefix[kind]) for one in loaders(cfg)]
    assert places == [(f'/nowhere/mine/{name}.txt', '/nowhere/mine') for name in ('one', 'two')]
    assert cfg.linear.group_pattern == cfg.fewshot.group_pattern == '_g(.+)_'
    assert cfg.linear.one_standard_error
    assert not mirrors(cfg)
    if cfg.model.type.endswith('Recognizer3D'):
        assert {step.frame_interval for step in steps(loaders(cfg), 'SampleFrames')} == {5}
    if cfg.model.backbone.type.endswith('GraphNetwork'):
        frames = steps(loaders(cfg), 'ResampleFrames', 'TemporalCrop')
        assert {step.num_frames for step in frames} == {48}
    assert {step.num_frames for step in steps(loaders(cfg), 'PadFrames')} <= {99}
