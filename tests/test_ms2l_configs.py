"""MS2L's configs build what is published, and each task and strategy is one change away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import DATASETS, MODELS
from tests.shipped import CONFIGS, TOP_LEVEL, load, loaders, steps

MS2L = [name for name in TOP_LEVEL if name.startswith('ms2l') and 'c2vl' not in name]
TWO_VIEWS = [name for name in MS2L if 'twoview' in name]
GRAPHS = [name for name in MS2L if 'gcn' in name]
PUBLISHED = sorted({*MS2L} - {*TWO_VIEWS, *GRAPHS})
TASKS = {'motion', 'jigsaw', 'contrast'}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmact_ssl')


def gru_parameters(inputs: int, hidden: int, layers: int, directions: int) -> int:
    """Three gates, each with input and recurrent weights and two biases."""
    total = 0
    for _ in range(layers):
        total += directions * 3 * (inputs * hidden + hidden * hidden + 2 * hidden)
        inputs = directions * hidden
    return total


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_config_has_the_published_sizes(name: str):
    config = load(name)
    model = MODELS.build(config.model)
    layout = LAYOUTS[config.bodies.layout]
    coordinates = layout.num_joints * config.bodies.num_persons * 3
    parameters = sum(value.numel() for value in model.backbone.parameters())
    assert parameters == gru_parameters(coordinates, 300, 2, 2)
    assert set(model.heads) >= TASKS
    decoder = sum(value.numel() for value in model.heads['motion'].decoder.parameters())
    assert decoder == gru_parameters(600, 600, 2, 1)
    assert model.heads['contrast'].loss_module.temperature == 0.9
    assert config.train_dataloader.batch_size == 256
    assert config.train_cfg.max_epochs == 60
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-3)


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


def point_at(config, made_set: Path, ann_file: Path | None = None) -> None:
    """Let a config read the made clips."""
    for loader in loaders(config):
        loader.merge(dict(num_workers=0, persistent_workers=False, batch_size=4))
        loader.dataset.ann_file = str(ann_file or made_set / 'train.txt')
        loader.dataset.data_prefix.skeleton = str(made_set)


@pytest.mark.parametrize('name', GRAPHS)
def test_the_tasks_run_on_graph_networks(name: str, made_set: Path):
    """One step on whole batches; every part of the backbone and of each head learns."""
    config = load(name)
    assert config.backbone_name in name
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    point_at(config, made_set)
    for resample in steps(config.train_dataloader, 'ResampleFrames'):
        resample.num_frames = 16
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batch = pseudo_collate([dataset[index] for index in range(3)])
    logs = model(**model.data_preprocessor(batch), mode='loss')
    logs['loss'].backward()
    assert {key.split('/')[0] for key in logs if '/' in key} >= TASKS
    still = [name for name, value in model.named_parameters() if value.grad is None]
    assert not still


def train(name: str, made_set: Path, work_dir: Path, width: int = 16, **changes) -> Runner:
    """Two epochs of a config on a handful of made clips, with a small GRU."""
    config = load(name)
    point_at(config, made_set, changes.pop('ann_file', None))
    config.merge_from_dict({'work_dir': str(work_dir), 'train_cfg.max_epochs': 2, **changes})
    backbone = config.model.backbone
    backbone.get('encoder', backbone).hidden_size = 8
    for head in config.model.heads.values():
        if head is not None:
            head.in_channels = width
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


@pytest.mark.parametrize('off', [None, *sorted(TASKS)])
def test_each_task_can_be_switched_off(off, made_set, tmp_path):
    """What trains is what the config names, and the pretext tasks are tested on unseen clips."""
    changes = {} if off is None else {f'model.heads.{off}': None}
    runner = train('ms2l_gru_nwucla.py', made_set, tmp_path, **changes)
    metrics = runner.test()
    assert {name.split('/')[0] for name in metrics} == TASKS - {off}
    assert all(np.isfinite(value) for value in metrics.values())


def test_pretraining_reads_no_label(made_set, tmp_path):
    """The same weights to the bit, whatever the annotation's labels are."""
    ends = []
    for number, label in enumerate(('', ' 1')):
        ann_file = tmp_path / f'{number}.txt'
        ann_file.write_text(''.join(f'clip{i}{label}\n' for i in range(8)))
        runner = train('ms2l_gru_nwucla.py', made_set, tmp_path / str(number), ann_file=ann_file)
        ends.append([value.detach().clone() for value in runner.model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends))


def test_the_joint_strategy_trains_the_classifier_and_the_tasks(made_set, tmp_path):
    runner = train('ms2l-joint_gru_nwucla.py', made_set, tmp_path)
    metrics = runner.test()
    assert {name.split('/')[0] for name in metrics} == {*TASKS, 'classification'}


def test_the_moving_strategy_ends_with_classification_alone():
    balancer = MODELS.build(load('ms2l-moving_gru_nwucla.py').model.balancer)
    losses = {task: torch.tensor(1.0) for task in (*TASKS, 'classification')}
    assert balancer.weighted_sum(losses, 0.0) == 3
    assert balancer.weighted_sum(losses, 1.0) == 1
    assert balancer.weight('classification', 1.0) == 1
    assert balancer.weight('jigsaw', 0.5) == 0.5


@pytest.mark.parametrize(
    'name', [f'downstream/{path.name}' for path in (CONFIGS / 'downstream').glob('*_gru*.py')]
)
def test_downstream_reads_what_pretraining_read(name: str):
    """Same streams at the same scale, and the same number of frames."""
    after = load(name)
    two_views = 'gru-streams' in name
    before = load(f'ms2l{"-twoview" if two_views else ""}_gru_nwucla.py')
    read, known = (
        list(steps(loader.dataset.pipeline, 'BonesAndMotion'))[:1]
        for loader in (after.test_dataloader, before.train_dataloader)
    )
    assert [{**part, 'type': ''} for part in read] == [{**part, 'type': ''} for part in known]
    crops = list(steps(before.train_dataloader, 'TemporalCrop'))[:1]
    frames = [part.num_frames for part in steps(after.test_dataloader, 'ResampleFrames')]
    assert frames == [crop.num_frames for crop in crops]
    flips = len(list(steps(after.train_dataloader, 'SkeletonFlip')))
    assert flips == (two_views and 'utdmhad' not in name), (
        'left and right are different actions there'
    )


@pytest.mark.parametrize('name', TWO_VIEWS)
def test_the_two_views_train_on_what_was_cut_and_turned(name, made_set, tmp_path):
    config = load(name)
    flips = len(list(steps(config.train_dataloader, 'SkeletonFlip')))
    assert flips == (0 if 'utdmhad' in name else 2)  # left and right differ there
    point_at(config, made_set)
    views = DATASETS.build(config.train_dataloader.dataset)[0]['inputs']
    assert views['one'].shape == views['two'].shape == (1, 32, 20, 9)
    assert not torch.allclose(views['one'], views['two'])
    metrics = train(name, made_set, tmp_path, width=96).test()
    assert {key.split('/')[0] for key in metrics} == {'contrast'}
    assert all(np.isfinite(value) for value in metrics.values())
