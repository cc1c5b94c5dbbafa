"""MS2L's configs build what is published, and each task and strategy is one change away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS, MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
TWO_VIEWS = sorted(path.name for path in CONFIGS.glob('ms2l-twoview_gru_*.py'))
WITH_SENTENCES = {path.name for path in CONFIGS.glob('ms2l-c2vl_*.py')}
NAMES = sorted(
    {path.name for path in CONFIGS.glob('ms2l*_gru_*.py')} - set(TWO_VIEWS) - WITH_SENTENCES
)
GRAPHS = sorted(path.name for path in CONFIGS.glob('ms2l*gcn*.py'))
TASKS = {'motion', 'jigsaw', 'contrast'}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


def load(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def gru_parameters(inputs: int, hidden: int, layers: int, directions: int) -> int:
    """Three gates, each with input and recurrent weights and two biases."""
    total = 0
    for _ in range(layers):
        total += directions * 3 * (inputs * hidden + hidden * hidden + 2 * hidden)
        inputs = directions * hidden
    return total


@pytest.mark.parametrize('name', NAMES)
def test_every_config_has_the_published_sizes(name: str):
    config = load(name)
    model = MODELS.build(config.model)
    layout = LAYOUTS[config.model.backbone.layout]
    coordinates = layout.num_joints * config.model.backbone.num_persons * 3
    parameters = sum(value.numel() for value in model.backbone.parameters())
    assert parameters == gru_parameters(coordinates, 300, 2, 2)
    assert set(model.heads) >= TASKS
    decoder = sum(value.numel() for value in model.heads['motion'].decoder.parameters())
    assert decoder == gru_parameters(600, 600, 2, 1)
    assert model.heads['contrast'].temperature == 0.9
    assert config.train_dataloader.batch_size == 256
    assert config.train_cfg.max_epochs == 60
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-3)


@pytest.mark.parametrize('name', GRAPHS)
def test_the_tasks_run_on_graph_networks(name: str, made_set: Path):
    """One step on whole batches; every part of the backbone and of each head learns."""
    config = load(name)
    assert config.backbone_name in name
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    for step in config.train_pipeline:
        if step.type == 'ResampleFrames':
            step.num_frames = 16
    dataset = DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=str(made_set / 'train.txt'),
            data_prefix=dict(skeleton=str(made_set)),
            pipeline=config.train_pipeline,
        )
    )
    batch = pseudo_collate([dataset[index] for index in range(3)])
    logs = model(**model.data_preprocessor(batch), mode='loss')
    logs['loss'].backward()
    assert {key.split('/')[0] for key in logs if '/' in key} >= TASKS
    still = [name for name, value in model.named_parameters() if value.grad is None]
    assert not still


@pytest.fixture(scope='module')
def made_set(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('skeletons')
    generator = np.random.default_rng(0)
    with SkeletonWriter(folder, 'made', 'kinect20', ['one', 'two'], 1) as writer:
        for number in range(8):
            clip = generator.normal(size=(1, 4 + 2 * number, 20, 3)).astype(np.float32)
            writer.add(f'clip{number}', number % 2, clip)
        writer.finish({'train': [f'clip{number}' for number in range(8)]})
    return folder


def train(name: str, made_set: Path, work_dir: Path, width: int = 16, **changes) -> Runner:
    """Two epochs of a config on a handful of made clips, with a small GRU."""
    config = load(name)
    config.merge_from_dict(
        {
            'work_dir': str(work_dir),
            'train_cfg.max_epochs': 2,
            'train_dataloader.batch_size': 4,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.dataset.ann_file': str(made_set / 'train.txt'),
            'train_dataloader.dataset.data_prefix.skeleton': str(made_set),
            'test_dataloader.num_workers': 0,
            'test_dataloader.dataset.ann_file': str(made_set / 'train.txt'),
            'test_dataloader.dataset.data_prefix.skeleton': str(made_set),
            **changes,
        }
    )
    backbone = config.model.backbone
    backbone.get('encoder', backbone).hidden_size = 8
    for head in config.model.heads.values():
        if head is not None:
            head.in_channels = width
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def parameters(module: torch.nn.Module) -> list[torch.Tensor]:
    return [value.detach().clone() for value in module.parameters()]


@pytest.mark.parametrize('off', [None, *sorted(TASKS)])
def test_each_task_can_be_switched_off(off, made_set, tmp_path):
    """What trains is what the config names, and the pretext tasks are judged on unseen clips."""
    changes = {} if off is None else {f'model.heads.{off}': None}
    runner = train('ms2l_gru_nwucla.py', made_set, tmp_path, **changes)
    metrics = runner.test()
    assert {name.split('/')[0] for name in metrics} == TASKS - {off}
    assert all(np.isfinite(value) for value in metrics.values())


def test_pretraining_reads_no_label(made_set, tmp_path):
    """The same weights to the bit, whatever the annotation's labels say."""
    ends = []
    for number, wrong in enumerate((False, True)):
        ann_file = tmp_path / f'{number}.txt'
        lines = (made_set / 'train.txt').read_text().splitlines()
        ann_file.write_text(
            ''.join(f'{line.split()[0]}{"" if wrong else " 1"}\n' for line in lines)
        )
        changes = {'train_dataloader.dataset.ann_file': str(ann_file)}
        runner = train('ms2l_gru_nwucla.py', made_set, tmp_path / str(number), **changes)
        ends.append(parameters(runner.model))
    assert all(torch.equal(one, other) for one, other in zip(*ends))


def test_the_joint_strategy_trains_the_classifier_and_the_tasks(made_set, tmp_path):
    runner = train('ms2l-joint_gru_nwucla.py', made_set, tmp_path)
    metrics = runner.test()
    assert {name.split('/')[0] for name in metrics} == {*TASKS, 'classification'}


def test_the_moving_strategy_ends_with_classification_alone():
    balancer = MODELS.build(load('ms2l-moving_gru_nwucla.py').model.balancer)
    losses = {task: torch.tensor(1.0) for task in (*TASKS, 'classification')}
    assert balancer(losses, 0.0) == 3
    assert balancer(losses, 1.0) == 1
    assert balancer.weight('classification', 1.0) == 1
    assert balancer.weight('jigsaw', 0.5) == 0.5


def read_only_transforms(pipeline: list) -> list[dict]:
    """What a pipeline does to a clip's coordinates without drawing or padding anything."""
    names = {'NormalizeSkeleton', 'ResampleFrames', 'BonesAndMotion'}
    shown = [{**step, 'type': step['type'].removeprefix('mmact_ssl.')} for step in pipeline]
    return [step for step in shown if step['type'] in names]


@pytest.mark.parametrize('path', sorted((CONFIGS / 'downstream').glob('*_gru*.py')), ids=str)
def test_downstream_reads_what_pretraining_read(path: Path):
    """Same encoder, same normalization, same streams at the same scale, same number of frames."""
    after = Config.fromfile(path)
    two_views = 'gru-streams' in path.name
    before = load(f'ms2l{"-twoview" if two_views else ""}_gru_nwucla.py')
    encoder = after.model.backbone.encoder if two_views else after.model.backbone
    pool = encoder.pop('pool')
    assert pool == before.model.pooling.get('mode', 'mean')
    assert after.model.backbone == before.model.backbone
    steps = list(before.train_pipeline)
    if two_views:
        crop, *_ = [step for step in before.augment if step.type == 'TemporalCrop']
        resample = dict(type='ResampleFrames', num_frames=crop.num_frames)
        steps = [steps[0], resample, *before.augment]
    expected = read_only_transforms(steps)
    assert read_only_transforms(after.test_dataloader.dataset.pipeline) == expected
    if two_views:  # left and right are different actions in UTD-MHAD
        fine_tuned = [step.type for step in after.train_dataloader.dataset.pipeline]
        assert ('mmact_ssl.SkeletonFlip' in fine_tuned) == ('utdmhad' not in path.name)
    widths = {600: 'mean', 768: 'mean_max'}
    assert widths[after.model.cls_head.in_channels] == pool


@pytest.mark.parametrize('name', TWO_VIEWS)
def test_the_two_views_train_on_what_was_cut_and_turned(name, made_set, tmp_path):
    config = load(name)
    flips = [step.type for step in config.augment].count('SkeletonFlip')
    assert flips == (0 if 'utdmhad' in name else 1)  # left and right differ there
    for view in ('one', 'two'):
        assert config.train_pipeline[1].views[view] == config.augment
    runner = train(name, made_set, tmp_path, width=96)
    metrics = runner.test()
    assert {key.split('/')[0] for key in metrics} == {'contrast'}
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize('name', TWO_VIEWS)
def test_two_views_differ_and_have_one_length(name, made_set):
    config = load(name)
    dataset = config.train_dataloader.dataset
    dataset.update(ann_file=str(made_set / 'train.txt'), data_prefix=dict(skeleton=str(made_set)))
    views = DATASETS.build(dataset)[0]['inputs']
    assert views['one'].shape == views['two'].shape == (1, 32, 20, 9)
    assert not torch.allclose(views['one'], views['two'])
