"""The kNN monitor: it measures, and training does not notice."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from mmact_ssl.datasets.prepared_folder import VARIABLE, hold_out
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.knn_monitor_hook import KNNMonitorHook
from mmact_ssl.evaluation.neighbors import knn_scores
from mmact_ssl.shipped_configs import CONFIGS
from tests.helpers.processes import in_two_processes

PREPROCESSOR = dict(
    type='mmaction.ActionDataPreprocessor', mean=[128.0] * 3, std=[64.0] * 3, format_shape='NCTHW'
)


class Backbone(nn.Module):
    """Has what could leak from monitoring into training: statistics, dropout, a frozen part."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)
        self.norm = nn.BatchNorm3d(4)
        self.frozen = nn.BatchNorm3d(4)
        self.dropout = nn.Dropout(0.5)

    def train(self, mode: bool = True) -> None:
        # As mmaction2's backbones, which return nothing and keep frozen parts in evaluation mode.
        super().train(mode)
        self.frozen.eval()

    def forward(self, x):
        return self.dropout(self.frozen(self.norm(self.conv(x)).relu()))


class Pretrainer(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()

    def forward(self, x, mode='loss'):
        # Randomness of all three generators, as transforms and losses draw it.
        noise = torch.rand(1) + float(np.random.rand()) + random.random()
        return dict(loss=(self.backbone(x) * noise.to(x.device)).square().mean())


class Noise(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index):
        return dict(x=torch.from_numpy(np.random.rand(3, 4, 8, 8).astype(np.float32)) + index)


@pytest.fixture(scope='module')
def labeled(tmp_path_factory) -> str:
    """A downstream config of ten tiny labeled videos of two classes that color tells apart."""
    root = tmp_path_factory.mktemp('knn')
    generator = np.random.default_rng(0)
    lines = []
    for number in range(10):
        label = number % 2
        path = root / f'{number}.mp4'
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (32, 32))
        for _ in range(6):
            frame = generator.integers(0, 60, (32, 32, 3), dtype=np.uint8)
            frame[..., 2 * label] = 230
            writer.write(frame)
        writer.release()
        lines.append(f'{path.name} {label}\n')
    (root / 'all.txt').write_text(''.join(lines))
    pipeline = [
        dict(type='mmact_ssl.ReadVideo'),
        dict(type='mmaction.SampleFrames', clip_len=4, num_clips=1, test_mode=True),
        dict(type='mmact_ssl.DecodeFrames'),
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='mmaction.PackActionInputs'),
    ]
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='mmaction.VideoDataset',
            ann_file=str(root / 'all.txt'),
            data_prefix=dict(video=str(root)),
            pipeline=pipeline,
            test_mode=True,
        ),
    )
    model = dict(data_preprocessor=PREPROCESSOR)
    config = Config(dict(train_dataloader=loader, test_dataloader=loader, model=model))
    config.dump(root / 'downstream.py')
    return str(root / 'downstream.py')


def started(config: str, **settings) -> KNNMonitorHook:
    """A hook of a run without data of its own."""
    hook = KNNMonitorHook(config, **settings)
    hook.before_run(SimpleNamespace(cfg=Config()))
    return hook


@pytest.fixture
def train(tmp_path, make_runner):
    """Trains with hooks."""

    def run(name, *hooks):
        torch.manual_seed(0)
        loader = dict(collate_fn=dict(type='default_collate'))
        runner = make_runner(tmp_path / name, Pretrainer(), Noise(), hooks, 3, loader=loader)
        runner.train()
        return runner

    return run


def test_training_is_the_same_to_the_bit_with_and_without(labeled, train):
    without = train('without')
    with_hook = train('with', dict(type='KNNMonitorHook', config=labeled))
    for key, value in without.model.state_dict().items():
        assert torch.equal(value, with_hook.model.state_dict()[key]), key
    history = [runner.message_hub.get_scalar('train/loss') for runner in (without, with_hook)]
    assert history[0].data[0].tolist() == history[1].data[0].tolist()
    assert len(history[0].data[0]) == 9
    assert len(with_hook.message_hub.get_scalar('knn/top1').data[0]) == 3


def test_the_measure_against_the_twin(labeled):
    import mmaction.datasets  # noqa: F401
    from mmaction.registry import DATASETS

    torch.manual_seed(0)
    model = Pretrainer()
    found = started(labeled, holdout_fraction=0.4, k=2).measure(model)
    dataset = DATASETS.build(Config.fromfile(labeled).train_dataloader.dataset)
    values, labels = [], []
    for position in range(10):
        sample = dataset[position]
        clip = (sample['inputs'].float() - 128) / 64
        with torch.no_grad():
            values.append(model.backbone(clip).mean(dim=(2, 3, 4))[0].numpy())
        labels.append(int(sample['data_samples'].gt_label))
    values, labels = np.stack(values), np.array(labels)
    held = np.flatnonzero(hold_out(labels, 0.4)[0])
    rest = [i for i in range(10) if i not in held]
    assert len(held) == 4
    scores = knn_scores(Features(values[rest], labels[rest]), values[held], 2, 2)
    assert found['knn/top1'] == (scores.argmax(axis=1) == labels[held]).mean()


def test_a_config_without_a_data_set_reads_the_folder_of_the_run(
    skeleton_folder, tmp_path, monkeypatch
):
    """And not the one that the environment names."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'other'))
    hook = KNNMonitorHook(str(CONFIGS / 'downstream' / 'gru-streams.py'))
    cfg = Config(dict(own_folder=dict(root=str(skeleton_folder))))
    hook.before_run(SimpleNamespace(cfg=cfg))
    assert hook.cfg.own_folder.root == str(skeleton_folder)
    hook = KNNMonitorHook(hook.config)
    with pytest.raises(DataError, match='other: no such folder'):
        hook.before_run(SimpleNamespace(cfg=Config()))


def test_clips_are_read_as_the_training_reads_them(skeleton_folder):
    def started_by(*streams) -> KNNMonitorHook:
        steps = [dict(type='NormalizeSkeleton', mode='body_axes', torso='spine'), *streams]
        loader = dict(dataset=dict(type='SkeletonDataset', pipeline=steps))
        hook = KNNMonitorHook(str(CONFIGS / 'downstream' / 'gru-streams.py'))
        cfg = Config(dict(own_folder=dict(root=str(skeleton_folder)), train_dataloader=loader))
        hook.before_run(SimpleNamespace(cfg=cfg))
        return hook

    hook = started_by(dict(type='BonesAndMotion', motion_scale=3.0))
    normalize, _, streams, *_ = hook.cfg.test_dataloader.dataset.pipeline
    assert (normalize.mode, normalize.torso, streams.motion_scale) == ('body_axes', 'spine', 3)
    with pytest.raises(ConfigError, match='KNNMonitorHook: trained without BonesAndMotion'):
        started_by()


def test_recordings_stay_on_one_side_and_clips_without_label_are_left_out(labeled):
    hook = started(labeled, holdout_fraction=0.5)
    ann_file = Path(hook.cfg.train_dataloader.dataset.ann_file).with_name('some.txt')
    labels = [0, 1, -1, 1, 0, -1, 0, 1]
    ann_file.write_text(
        ''.join(f'{i // 2}_{i % 2}.mp4 {label}\n' for i, label in enumerate(labels))
    )
    hook.cfg.train_dataloader.dataset.ann_file = str(ann_file)
    hook.cfg.linear = dict(group_pattern=r'(\d)_')
    features = Features(np.arange(8.0)[:, None], np.array(labels))
    sides = [part.values[:, 0] for part in hook._hold_out(features)]
    assert sorted(np.concatenate(sides)) == [0, 1, 3, 4, 6, 7]
    assert not set(sides[0] // 2) & set(sides[1] // 2)
    with pytest.raises(ConfigError, match='gives other samples than'):
        hook._hold_out(Features(features.values, np.zeros(8, np.int64)))
    ann_file.write_text('0_0.mp4 0\n0_1.mp4 1\n1_0.mp4\n')
    with pytest.raises(ConfigError, match='no class of .*some.txt has two labeled clips'):
        hook._hold_out(Features(features.values[:3], np.array([0, 1, -1])))
    ann_file.write_text('0_0.mp4 0\n0_1.mp4 1\n./0_0.mp4 0\n')
    with pytest.raises(DataError, match="some.txt: '0_0.mp4' stands in 2 lines"):
        hook._hold_out(Features(features.values[:3], np.array([0, 1, 0])))
    with pytest.raises(ConfigError, match='holdout_fraction=0'):
        KNNMonitorHook(labeled, holdout_fraction=0)


def test_the_first_of_two_processes_reads_all_clips_and_the_other_waits(labeled, tmp_path):
    (tmp_path / 'config.txt').write_text(labeled)
    in_two_processes(work, tmp_path)

    torch.manual_seed(0)
    alone = started(labeled, k=1).measure(Pretrainer())
    assert json.loads((tmp_path / 'scalars.json').read_text()) == pytest.approx(alone, rel=1e-4)


def work(rank: int, folder: Path) -> None:
    torch.manual_seed(0)
    hook = started((folder / 'config.txt').read_text(), k=1)
    logged = folder / 'scalars.json'
    runner = SimpleNamespace(
        model=Pretrainer(),
        epoch=0,
        max_epochs=2,
        message_hub=SimpleNamespace(update_scalar=lambda name, value: None),
        visualizer=SimpleNamespace(
            add_scalars=lambda scalars, step: logged.write_text(json.dumps(scalars))
        ),
        logger=SimpleNamespace(info=print),
    )
    hook.after_train_epoch(runner)
    assert logged.is_file(), 'the other process did not wait'
    # What comes next in training meets its like in the other process.
    total = torch.tensor([rank + 1.0])
    torch.distributed.all_reduce(total)
    assert total.item() == 3
