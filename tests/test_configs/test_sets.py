"""Configs that name no data set read the one of ``--set``: a shipped one or a file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.engine.launch import configure_training
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from tests.shipped import CONFIGS, ROOT, loaders, own_folder, own_folder_of_videos, parsed, steps
from tools.train import parse_args

NETWORKS = {'r3d18-small': 'video', 'tsm-lite0': 'video', 'gru': 'skeleton', 'stgcn': 'skeleton'}


@pytest.fixture
def own_set(tmp_path: Path) -> Callable[[str], str]:
    """Copies a shipped set into a file of the user."""

    def copy(dataset: str) -> str:
        text = (CONFIGS / f'_base_/sets/{dataset}.py').read_text()
        (tmp_path / 'mine.py').write_text(text.replace(f"'{dataset}'", "'mine'"))
        return str(tmp_path / 'mine.py')

    return copy


@pytest.mark.parametrize(
    ('name', 'dataset'),
    [
        ('_base_/evaluation.py', 'nwucla'),
        ('c2vl_stgcn.py', 'nwucla'),
        ('csvr_r3d18-small.py', 'jhmdb'),
    ],
)
def test_a_set_is_shipped_or_a_file(name, dataset, own_set):
    shipped, own = (
        read_config(str(CONFIGS / name), dataset=one).to_dict()
        for one in (dataset, own_set(dataset))
    )
    assert (shipped.pop('dataset_name'), own.pop('dataset_name')) == (dataset, 'mine')
    assert shipped == own


def test_a_run_has_the_name_of_config_and_set():
    args = parse_args([str(CONFIGS / 'c2vl_stgcn.py'), '--set', 'pkummd1'])
    assert configure_training(args).work_dir == 'work_dirs/c2vl_stgcn_pkummd1'


@pytest.mark.parametrize(
    ('name', 'dataset', 'answer'),
    [
        ('ms2l_gru.py', 'jhmdb', 'jhmdb holds videos, and .* reads skeletons: take a config'),
        ('byol_r3d18-small.py', 'nwucla', 'nwucla holds skeletons, and .* reads videos'),
        ('ms2l_gru.py', 'nwulca', '--set nwulca: no such set; .*nwucla'),
        ('videomae_vit-b_k400.py', 'jhmdb', 'names its own data set: leave --set out'),
        ('dtg_tsm-lite0.py', '', 'this config names no data set: give --data DIR or --set NAME$'),
    ],
)
def test_what_does_not_go_together(name, dataset, answer):
    with pytest.raises(ConfigError, match=answer):
        read_config(str(CONFIGS / name), dataset=dataset or None)


def test_a_folder_and_a_set_are_not_read_at_once(monkeypatch, own_set):
    path = str(CONFIGS / '_base_/evaluation.py')
    with pytest.raises(ConfigError, match='--data and --set both'):
        read_config(path, data=own_folder(), dataset='nwucla')
    monkeypatch.setenv('MMACT_SSL_SET', own_set('nwucla'))
    assert read_config(path).dataset_name == 'mine'
    assert read_config(path, data=own_folder()).dataset_name == 'own'


def mirrors(cfg: Config) -> list[str]:
    """Steps of both pipelines that can make a left action a right one."""
    found = []
    for loader in loaders(cfg):
        flips = steps(loader.dataset.pipeline, 'Flip', 'SkeletonFlip', 'HorizontalFlip')
        found += [step.type for step in flips if step.get('flip_ratio', 0.5) > 0]
    return found


@pytest.mark.parametrize('path', CONFIGS.glob('*.py'), ids=lambda path: path.stem)
def test_where_left_and_right_differ_nothing_is_mirrored(path):
    if not re.search('_k400|_demo', path.stem):
        is_video = re.search('r3d|tsm|vit', path.stem)
        assert not mirrors(parsed(f'{path.name}@{"utdmhad" if is_video else "utdmhad-skeleton"}'))


@pytest.mark.parametrize(
    ('folder', 'config', 'encoder'),
    [
        (own_folder, 'ms2l-twoview_gru.py', 'gru-streams'),
        (own_folder_of_videos, 'dtg_tsm-lite0.py', 'tsm-lite0'),
    ],
)
def test_nor_in_a_folder_whose_classes_differ_by_side(folder, config, encoder, tmp_path):
    data = tmp_path / 'mine'
    shutil.copytree(folder(), data)
    for classes, is_mirrored in ('raise left\nraise right\n', False), ('wave\nclap\n', True):
        (data / 'classes.txt').write_text(classes)
        training = read_config(str(CONFIGS / config), data=str(data))
        tuning = read_evaluation(encoder, data=str(data))[0]
        assert [bool(mirrors(cfg)) for cfg in (training, tuning)] == [is_mirrored] * 2


EVERY_KEY = r"""
dataset_name = 'mine'
synthetic = True
prepare_command = 'make mine'
data_root = '/nowhere/mine'
num_classes = 7
group_pattern = r'_g(.+)_'
one_standard_error = True
flip_ratio = 0.0
pose_layout = 'kinect20'
pose_joints = 20
finetune_epochs = 33
pretrained_lr_mult = 0.7
pretrain_epochs = 200
few_clips = True
performance_pattern = r'(.+)_v\d+$'
encoder_options = dict(layout='kinect20', persons=1, longest=99, stride=5)
folder = dict(data_prefix=dict({kind}=data_root), prepare_command=prepare_command)
train_set = dict(ann_file=f'{{data_root}}/one.txt', **folder)
test_set = dict(ann_file=f'{{data_root}}/two.txt', **folder)
"""


@pytest.mark.parametrize('network', NETWORKS)
def test_every_documented_key_of_a_set_is_read(network, tmp_path):
    page = (ROOT / 'docs/extend/add_a_dataset.md').read_text()
    rows = re.findall(r'^\| (`.+?) \|', page, re.M)
    keys = set(re.findall(r'`(\w+_\w+)', ' '.join(row for row in rows if '.py' not in row)))
    assert {'flip_ratio', 'encoder_options'} <= keys
    assert all(f'\n{key} = ' in EVERY_KEY for key in keys)
    kind = NETWORKS[network]
    (tmp_path / 'mine.py').write_text(EVERY_KEY.format(kind=kind))
    cfg, _ = read_evaluation(network, dataset=str(tmp_path / 'mine.py'))
    assert (cfg.dataset_name, cfg.synthetic, cfg.prepare_command) == ('mine', True, 'make mine')
    assert cfg.model.cls_head.num_classes == 7
    places = [(one.dataset.ann_file, one.dataset.data_prefix[kind]) for one in loaders(cfg)]
    assert places == [(f'/nowhere/mine/{name}.txt', '/nowhere/mine') for name in ('one', 'two')]
    assert cfg.linear.group_pattern == cfg.fewshot.group_pattern == '_g(.+)_'
    assert cfg.linear.one_standard_error
    assert not mirrors(cfg)
    if cfg.model.type.endswith('Recognizer3D'):
        assert {step.frame_interval for step in steps(loaders(cfg), 'SampleFrames')} == {5}
        assert cfg.train_cfg.max_epochs == cfg.param_scheduler[1].end == 33
        assert cfg.finetune.pretrained_lr_mult == 0.7
    assert {step.num_frames for step in steps(loaders(cfg), 'PadFrames')} <= {99}
