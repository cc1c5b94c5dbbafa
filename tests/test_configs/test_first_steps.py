"""Every shipped config is initialized and takes a step of its own optimizers on made data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmact_ssl.configs.encoder_config import shipped_encoders
from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.engine.optimizers import AdversarialOptimWrapper
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.evaluation.recognizer import build_recognizer, make_runner
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from mmact_ssl.targets.load_targets import caches_read_by
from tests.helpers.hf_networks import save_network
from tests.helpers.videos import write_video
from tests.shipped import TOP_LEVEL, load, loaders, steps

FRAMES, SIZE = 100, 64  # of a made video
CROP = (32, 32)  # networks that read images of any size stride by at most 32
LENGTHS = ('TemporalCrop', 'ResampleFrames')
LABELS = (0, 1)  # of the two samples
PROJECTOR = ('hidden_dim', 'embedding_dim', 'predictor_dim')
WIDTH = 1024  # of a projector at most; Barlow Twins' weights of 8,192 take seconds
CHANNELS = {
    *('base_channels', 'stem_channels', 'in_channels', 'out_channels', 'channels'),
    *('frame_channels', 'discriminator_channels'),
}
NARROWER = 4  # times, of R3D-18 and all that reads it; tests of every config build the full widths
BLOCKS = 2  # of ViT-B, in the place of twelve equal ones


def parts_of(part: Any) -> Iterator[Any]:
    """Each dict in a model, without what a head tells of its teachers."""
    if isinstance(part, dict):
        yield part
        for key, value in part.items():
            if key != 'teachers':
                yield from parts_of(value)


def make_small(model: Any) -> None:
    """Leave a large student its kind and its wiring, and few weights."""
    parts = list(parts_of(model))
    if any(part.get('base_channels') == 64 for part in parts):
        for part in parts:
            if part.get('type') == 'mmpretrain.ResNet':  # without the widths that it has by default
                part.update(base_channels=64, stem_channels=64)
            part.update({key: part[key] // NARROWER for key in CHANNELS & set(part)})
    if 'VisionTransformer' in model.backbone.type and 'depth' not in model.backbone:
        model.backbone.depth = BLOCKS


def shape_of(target: Any, config: Config) -> tuple[int, ...]:
    """Shape of a target of a video as the config's heads read it."""
    kind, heads = target.get('kind', target.target), [h for h in config.model.heads.values() if h]
    if kind == 'pose':
        return FRAMES, LAYOUTS[target.layout].num_joints, 3
    if kind == 'map':
        return FRAMES, len(PART_LAYOUTS[target.layout].names), 8, 8
    if kind == 'text':
        return 3, next(head.prompt_channels for head in heads if 'prompt_channels' in head)
    if target.target == 'frames':
        return FRAMES, next(
            head.prompt_channels for head in heads if head.get('target') == 'frames'
        )
    return FRAMES, next(
        head.teachers[target.target].channels for head in heads if 'teachers' in head
    )


def make_set(dataset: Any, config: Config, folder: Path) -> None:
    """Point a data set at two samples made for it, with their targets."""
    is_skeleton = 'skeleton' in dataset.data_prefix
    names = ['a01_s01_e00_v01', 'a01_s01_e00_v02'] if is_skeleton else ['0.mp4', '1.mp4']
    random = np.random.default_rng(0)
    if is_skeleton:
        layout, persons = (config.encoder_options[key] for key in ('layout', 'persons'))
        joints = LAYOUTS[layout].num_joints
        with SkeletonWriter(folder, 'made', layout, ['one', 'two'], persons) as writer:
            for name, label in zip(names, LABELS):
                clip = random.normal(size=(persons, 30, joints, 3)).astype(np.float32)
                writer.add(name, label, clip)
            writer.finish({'train': names})
    else:
        folder.mkdir()
        for name in names:
            write_video(folder / name, FRAMES, SIZE, SIZE, gop=FRAMES, bframes=0)
        lines = (f'{name} {label}\n' for name, label in zip(names, LABELS))
        (folder / 'train.txt').write_text(''.join(lines))
    dataset.ann_file = str(folder / 'train.txt')
    dataset.data_prefix = {key: str(folder) for key in dataset.data_prefix}
    for target in steps(dataset.pipeline, 'LoadTargets'):
        target.cache = Path(target.cache).name  # one is of another set
    paths = dict(caches_read_by(dataset))
    for target in steps(dataset.pipeline, 'LoadTargets'):
        meta = TargetMeta(
            target.get('kind', target.target), target.get('layout', ''), 'made', 'made'
        )
        with TargetWriter(paths[target.target], meta) as writer:
            for name in names:
                values = random.uniform(0.1, 0.9, shape_of(target, config)).astype(np.float32)
                is_map = meta.kind == 'map'
                values = values / values.sum(1, keepdims=True) if is_map else values
                writer.put(target.get('key', '{}').format(name), values)


def cut_down(config: Config, folder: Path) -> None:
    """One batch of two small samples; all but the size of large networks stays as it is."""
    make_small(config.model)
    for head in filter(None, config.model.get('heads', {}).values()):
        head.update({key: min(head[key], WIDTH) for key in PROJECTOR if head.get(key)})
    train, *tests = loaders(config)
    make_set(train.dataset, config, folder / 'set')
    for loader in (train, *tests):  # the test has the samples of the training
        loader.update(num_workers=0, persistent_workers=False, batch_size=len(LABELS))
        loader.dataset.update({key: train.dataset[key] for key in ('ann_file', 'data_prefix')})
        for target in steps(loader.dataset, 'LoadTargets'):
            target.cache = Path(target.cache).name
        if 'img_size' not in config.model.backbone:
            for resize in steps(loader.dataset, 'Resize'):
                resize.scale = CROP
        for change in steps(loader.dataset, *LENGTHS):
            if change.get('num_frames') is not None:  # a run of frames as it is
                change.num_frames = min(change.num_frames, 16)
    config.merge_from_dict(
        {
            'work_dir': str(folder / 'work'),
            # mmengine's own is the file's name and the second, which two sets may share.
            'experiment_name': folder.name,
            'train_cfg.max_epochs': 1,
            'default_hooks.checkpoint': dict(
                type='CheckpointHook', interval=-1, save_last=False, _delete_=True
            ),
        }
    )


def check_step(runner: Runner) -> None:
    """Every batch was a step of finite losses."""
    assert runner.iter == len(runner.train_dataloader) == 1
    logged = runner.message_hub.log_scalars
    losses = {key: history.current() for key, history in logged.items() if 'loss' in key}
    assert losses and all(np.isfinite(value) for value in losses.values()), losses
    assert 'skipped_steps' not in runner.message_hub.runtime_info


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_a_shipped_config_takes_its_first_step_and_is_tested(name: str, tmp_path: Path):
    """Its UntrainedWeightsHook checks that the whole student gets a gradient."""
    config = load(name)
    cut_down(config, tmp_path)
    runner = PretrainRunner.from_cfg(config)
    runner.train()
    check_step(runner)
    is_adversarial = any('discriminator' in name for name, _ in runner.model.named_parameters())
    assert isinstance(runner.optim_wrapper, AdversarialOptimWrapper) == is_adversarial
    if 'test_dataloader' in config:
        assert {key.partition('/')[0] for key in runner.test()} == {*runner.model.tasks}


@pytest.mark.parametrize('name', shipped_encoders())
def test_an_encoder_takes_its_first_step_of_fine_tuning(name: str, tmp_path: Path):
    if name == 'hf-video':
        name += f',model={save_network(tmp_path / "network", "videomae")}'
    config, encoder = read_evaluation(name, dataset='nwucla' if name[0] in 'gs' else 'jhmdb')
    cut_down(config, tmp_path)
    init_default_scope(config.default_scope)
    recognizer = build_recognizer(config, encoder, 0)
    runner = make_runner(config, recognizer, config.work_dir, train=True)
    runner.train()
    check_step(runner)
