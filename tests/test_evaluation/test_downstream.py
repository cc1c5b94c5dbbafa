"""Evaluation of a checkpoint on a folder of one's own, without a config."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.apis.publish import card_of_checkpoint, make_card, write_model
from mmact_ssl.engine.launch import read_config
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.downstream import config_for, find_downstream, write_labeled_lists
from mmact_ssl.evaluation.student import with_saved_backbone
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS, MODELS
from mmact_ssl.saved_run import LabelsRead, SavedRun
from tests.helpers.students import weights_of
from tests.shipped import CONFIGS, load
from tools import evaluate

SMALL = ['model.backbone.encoder.hidden_size=8']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Skeletons of two classes and four subjects, without a test list."""
    root = tmp_path / 'mine'
    generator = np.random.default_rng(0)
    with SkeletonWriter(root, 'mine', 'kinect20', ['one', 'two'], 1) as writer:
        names = [f'c{i:02d}' for i in range(16)]
        for number, name in enumerate(names):
            clip = generator.normal(size=(1, 12, 20, 3)).astype(np.float32)
            clip[..., number % 2] += np.sin(np.arange(12))[None, :, None]
            writer.add(name, number % 2, clip)
        writer.finish({'all': names})
    return root


@pytest.fixture
def checkpoint(folder: Path, tmp_path: Path) -> str:
    """Checkpoint as tools/train.py writes it before its first step."""
    cfg = read_config(str(CONFIGS / 'ms2l-twoview_gru.py'), SMALL, str(folder))
    backbone = MODELS.build(cfg.model.backbone)
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=weights_of(backbone), meta=dict(cfg=cfg.pretty_text)), path)
    return str(path)


def of_checkpoint(path: str, data: Path) -> Config:
    """Downstream config of a checkpoint's network, with the network."""
    saved = SavedRun.read(path)
    return with_saved_backbone(config_for(saved, str(data), ['linear.folds=3']), saved)


def record(path: Path, text: str) -> SavedRun:
    """A checkpoint without weights with this text as the config of its training."""
    torch.save(dict(state_dict={}, meta=dict(cfg=text)), path)
    return SavedRun.read(path)


def test_the_network_is_that_of_a_checkpoint_or_a_published_file(folder, checkpoint, tmp_path):
    saved = SavedRun.read(checkpoint)
    assert (saved.backbone_name, saved.backbone['encoder']['hidden_size']) == ('gru-streams', 8)
    cfg = of_checkpoint(checkpoint, folder)
    assert cfg.model.backbone.encoder.hidden_size == 8
    assert cfg.model.backbone.encoder.pool == 'mean_max', 'as the downstream config has it'
    assert (cfg.model.cls_head.num_classes, cfg.linear.folds) == (2, 3)
    assert cfg.dataset_name == 'mine'
    assert find_downstream(saved).model.backbone.to_dict() == cfg.model.backbone.to_dict()
    known = dict.fromkeys(('method', 'config', 'trained_on', 'licence', 'source_sha256'), 'a')
    card = make_card(cfg, name='small', precision='float32', **known)
    file = str(write_model(saved.weights, tmp_path / 'small', card))
    assert of_checkpoint(file, folder).model.to_dict() == cfg.model.to_dict()


def test_a_folder_with_the_name_of_a_shipped_set_is_not_that_set(checkpoint: str):
    known = torch.load(checkpoint)
    text = known['meta']['cfg'].replace("'mine'", "'nwucla'")
    known['meta']['cfg'] = text.replace('num_person=1', 'num_person=2')
    torch.save(known, checkpoint)
    saved = SavedRun.read(checkpoint)
    assert saved.dataset_name == 'nwucla'
    assert card_of_checkpoint(saved).num_persons == 2


def test_a_file_without_a_record_takes_the_config_of_its_data_set(tmp_path: Path):
    names = "backbone_name = 'tsm-lite0'\ndataset_name = 'jhmdb'"
    named = load('downstream/tsm-lite0.py@jhmdb')
    saved = record(tmp_path / 'a.pth', names)
    assert card_of_checkpoint(saved).backbone['num_segments'] == 8
    assert find_downstream(saved).model.backbone == named.model.backbone
    with pytest.raises(CheckpointError, match='does not record its network'):
        find_downstream(record(tmp_path / 'a.pth', names.replace('jhmdb', 'mine')))
    forged = f"{names}\nmodel = dict(backbone=dict(type='os.mkdir', path='a'))"
    with pytest.raises(CheckpointError, match=r'os\.mkdir.*refused: .* give a downstream config'):
        find_downstream(record(tmp_path / 'a.pth', forged))


def test_labels_of_a_part_are_enough(folder, checkpoint):
    """Pre-training reads all clips of a folder, evaluation those with a label."""
    names = (folder / 'all.txt').read_text().split('\n')[:-1]
    unlabeled = [line.split()[0] for line in names[12:]]
    (folder / 'all.txt').write_text('\n'.join([*unlabeled, *names[:12]]))
    cfg = read_config(str(CONFIGS / 'ms2l-twoview_gru.py'), data=str(folder))
    assert Path(cfg.train_dataloader.dataset.ann_file).name == 'all.txt'
    evaluate.main(['linear,knn', '--data', str(folder), checkpoint])
    lists = [(folder / f'labeled_{split}.txt').read_text() for split in ('train', 'test')]
    assert sorted(''.join(lists).split('\n')[:-1]) == sorted(names[:12])


# The common joints are in space, and of one person.
SKELETONS = [
    path
    for path in CONFIGS.glob('downstream/[ags]*.py')
    if not re.search('copies|common', path.stem)
]
NETWORKS = [*SKELETONS, CONFIGS / 'ms2l-twoview_gru.py', CONFIGS / 'c2vl_gru.py']


@pytest.mark.parametrize('config', NETWORKS, ids=lambda path: path.stem)
def test_key_points_of_two_persons_in_a_picture_need_no_option(config: Path, tmp_path: Path):
    generator = np.random.default_rng(0)
    with SkeletonWriter(tmp_path, 'flat', 'coco17', ['one'], 2, 2, 'pixels') as writer:
        writer.add('a', 0, generator.uniform(0, 200, (2, 9, 17, 2)).astype(np.float32))
        writer.finish({'all': ['a']})
    cfg = read_config(str(config), data=str(tmp_path))
    init_default_scope('mmact_ssl')
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = [step for step in dataset.pipeline if step.type != 'LoadTargets']
    sample = DATASETS.build(dataset)[0]['inputs']
    clip = sample if torch.is_tensor(sample) else next(iter(sample.values()))
    clip = clip if clip.ndim == 5 else clip[None]  # (1, M, T, V, C)
    assert clip.shape[1] == 2 and clip.shape[-1] % 2 == 0
    MODELS.build(cfg.model.backbone)(clip)


def test_videos_and_skeletons_do_not_go_together(folder, checkpoint, tmp_path):
    """Other layouts and dimensions: see test_student_inputs.py."""
    videos = tmp_path / 'videos'
    videos.mkdir()
    (videos / 'train.txt').write_text('a.mp4 0\n')
    with pytest.raises(ConfigError, match='for skeletons, .*videos holds videos: give'):
        config_for(SavedRun.read(checkpoint), str(videos))
    network = dict(type='mmact_ssl.TemporalShiftNetwork')
    text = f"backbone_name = 'tsm-lite0'\nmodel = {dict(backbone=network)}"
    with pytest.raises(ConfigError, match='for videos, .*mine holds skeletons: give'):
        config_for(record(tmp_path / 'a.pth', text), str(folder))


@pytest.mark.parametrize('text', ['', 'model = 3', "backbone_name = __import__('os').getcwd()"])
def test_a_checkpoint_that_does_not_say_its_network(tmp_path: Path, text: str):
    with pytest.raises(CheckpointError, match='does not record its network .* give a downstream'):
        config_for(record(tmp_path / 'a.pth', text), str(tmp_path))


def test_a_network_without_a_downstream_config(folder: Path, tmp_path: Path):
    text = "backbone_name = 'mine'\nmodel = dict(backbone=dict(type='X'))"
    with pytest.raises(ConfigError, match=r"'mine' and there is no mine.py in .* gru-streams"):
        config_for(record(tmp_path / 'a.pth', text), str(folder))


@pytest.mark.parametrize('named', ['test', 'train'])
def test_a_list_that_an_option_names_is_not_replaced(named, folder, checkpoint):
    text = (folder / 'all.txt').read_text()
    (folder / 'all.txt').write_text(text.replace('c03 1', 'c03'))
    option = f'{named}_dataloader.dataset.ann_file={folder}/other.txt'
    cfg = config_for(SavedRun.read(checkpoint), str(folder), [option])
    write_labeled_lists(cfg)
    assert cfg[f'{named}_dataloader'].dataset.ann_file == f'{folder}/other.txt'
    if named == 'test':
        labeled = Path(cfg.train_dataloader.dataset.ann_file).read_text()
        assert labeled == text.replace('c03 1\n', '')
    assert not list(folder.glob('split_*.txt'))


def test_clips_whose_labels_were_trained_on_are_not_held_out(folder, checkpoint, tmp_path):
    known = torch.load(checkpoint)
    reads = "data_preprocessor=dict(targets=('sample.label', ), "
    known['meta']['cfg'] = known['meta']['cfg'].replace('data_preprocessor=dict(', reads)
    trained = str(tmp_path / 'joint.pth')
    torch.save(known, trained)
    assert SavedRun.read(trained).labels_read == LabelsRead('mine', 1.0, 0)
    for words in (['knn,joint', checkpoint], ['knn', trained]):
        with pytest.raises(SystemExit, match='no test list, and the student was trained with its'):
            evaluate.main([*words, '--data', str(folder)])
    assert not list(folder.glob('split_*.txt'))


@pytest.mark.parametrize('kind', ['os.mkdir', 'subprocess.Popen', 'mmaction.Recognizer3D'])
@pytest.mark.parametrize('nested', [False, True])
def test_a_file_names_networks_and_no_other_code(kind, nested, folder, checkpoint, tmp_path):
    part = dict(type=kind, path=str(tmp_path / 'made'))
    backbone = dict(type='mmact_ssl.SkeletonStreams', encoder=part) if nested else part
    text = f"backbone_name = 'gru-streams'\nmodel = {dict(backbone=backbone)!r}"
    with pytest.raises(CheckpointError, match=rf'{kind}.*refused: .* give a downstream config'):
        config_for(record(tmp_path / 'a.pth', text), str(folder))
