"""Every shipped config builds, and its pipeline, its heads and its data set agree."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.datasets.seeded_samples import build_pipeline
from mmact_ssl.evaluation.data import sample_groups
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from mmact_ssl.targets.load_targets import caches_read_by
from tests.helpers.videos import write_video
from tests.shipped import (
    CONFIGS,
    DOWNSTREAM,
    TOP_LEVEL,
    build,
    load,
    loaders,
    parsed,
    step,
    steps,
)

ONE_SET = [
    name
    for name in TOP_LEVEL
    if 'own_folder' not in parsed(name) and parsed(name).dataset_name not in ('skeletons', 'videos')
]
READ_LABELS = re.compile('joint|moving')
OWN_HOOKS = {
    *('seed_by_progress', 'broken_samples', 'momentum', 'target_caches', 'gradient_share'),
    *('sync_buffers', 'untrained_weights'),
}


def targets_made(pipeline: list) -> set[str]:
    """Targets that a pipeline packs, as a data preprocessor lists them."""
    made = {f'{view}.valid' for sample in steps(pipeline, 'SampleViews') for view in sample}
    for sample in steps(pipeline, 'SampleViews'):
        drawn = [v for v, s in sample.items() if isinstance(s, dict) and np.ndim(s.get('stride'))]
        made |= {f'{view}.speed' for view in drawn}
    for target in steps(pipeline, 'LoadTargets'):
        for view in target.get('views', ('clip',)):
            made.add(f'{view}.{target.target}')
            if target.get('missing') == 'mask':
                made.add(f'{view}.{target.target}_valid')
    for masked in steps(pipeline, 'MaskTubes'):
        view = masked.get('view', 'clip')
        made |= {f'{view}.mask', f'{view}.valid'}
    for views in steps(pipeline, 'MakeSkeletonViews'):
        kinds = dict(permutation='ShuffleSegments', speed='RandomStride')
        kinds |= dict.fromkeys(('mask', 'known'), 'MaskJointSegments')
        for name, kind in kinds.items():
            made |= {f'{v}.{name}' for v, t in views['views'].items() if list(steps(t, kind))}
    for shuffled in steps(pipeline, 'ShuffleViewSegments'):
        made |= {f'{view}.permutation' for view in shuffled.get('views', ('clip',))}
    (pack,) = steps(pipeline, 'PackInputs')
    return made | {f'sample.{name}' for name in ('label', 'video') if pack.get(name)}


def test_nothing_is_addressed_by_its_position():
    pattern = re.compile(r'(pipeline|hooks|transforms|steps|augment)(\[|\.\d)')
    for path in CONFIGS.glob('**/*.py'):
        found = [line for line in path.read_text().splitlines() if pattern.search(line)]
        assert not found, f'{path}: {found}'


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_views_and_targets_are_made_by_the_pipeline(name: str):
    """And the model builds, which checks that each head's inputs are there."""
    config = load(name)
    preprocessor = build(config).data_preprocessor
    reads_labels = bool(READ_LABELS.search(name))
    assert ('sample.label' in preprocessor.targets) == reads_labels
    for loader in loaders(config):
        pipeline = loader.dataset.pipeline
        assert set(preprocessor.targets) <= targets_made(pipeline)
        assert tuple(step(loader, 'PackInputs')['views']) == tuple(preprocessor.views)
        assert step(loader, 'PackInputs').get('label', False) == reads_labels
        shown = {part.view for part in steps(pipeline, 'MaskTubes') if 'source' in part}
        for part in steps(pipeline, 'SampleViews', 'MakeSkeletonViews'):
            assert set(preprocessor.views) <= {*part, *part.get('views', ()), *shown}


@pytest.mark.parametrize('name', ONE_SET)
def test_a_config_agrees_with_its_data_set(name: str):
    config = load(name)
    names = Config.fromfile(CONFIGS / f'_base_/sets/{config.dataset_name}.py')
    heads = {head.type: head for head in config.model.heads.values() if head}
    for loader, own in zip(loaders(config), ('train_set', 'test_set')):
        assert names[own].to_dict().items() <= loader.dataset.to_dict().items()
        assert loader.dataset.ann_file.startswith(names.data_root)
        # What a flip moves is what was loaded, and what the heads are made for.
        caches = {part.target: part for part in steps(loader.dataset.pipeline, 'LoadTargets')}
        layouts = {part.layout for part in caches.values() if part.get('layout') in LAYOUTS}
        layouts |= {part.layout for part in steps(loader.dataset.pipeline, 'HorizontalFlip')}
        assert len(layouts) <= 1
        if 'PosePredictionHead' in heads:
            assert heads['PosePredictionHead'].num_joints == LAYOUTS[layouts.pop()].num_joints
        if 'ParsingDistillationHead' in heads:
            head = heads['ParsingDistillationHead']
            assert len(PART_LAYOUTS[caches['parts'].layout].names) == head.num_parts
            moved = [part.get('map_size') for part in steps(loader, 'TransformViews')]
            assert moved[0] == head.map_size
    if 'bodies' in names:
        assert config.model.backbone.get('layout', 'kinect20') == names.bodies.layout


@pytest.mark.parametrize('name', [*TOP_LEVEL, *DOWNSTREAM])
def test_pipelines_draw_for_each_sample_not_when_they_are_built(name: str):
    for loader in loaders(load(name)):
        with mock.patch('mmact_ssl.datasets.seeded_samples.print_log') as warn:
            pipeline = loader.dataset.pipeline
            build_pipeline([step for step in pipeline if not step.type.endswith('LoadTargets')])
        assert not warn.called


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_runs_repeat_resume_and_know_their_teachers(name: str):
    config = load(name)
    assert set(config.default_hooks) >= OWN_HOOKS
    assert 'custom_hooks' not in config
    assert config.default_scope == 'mmact_ssl'


@pytest.mark.parametrize('name', [*TOP_LEVEL, *DOWNSTREAM])
def test_workers_that_train_live_on(name: str):
    """mmengine seeds new workers alike, which would draw the same augmentations in each epoch."""
    loader = load(name).train_dataloader
    assert loader.get('num_workers', 0) == 0 or loader.get('persistent_workers', False)


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_downstream_configs_read_the_student_as_it_was_trained(name: str):
    config = load(name)
    same = [load(d) for d in DOWNSTREAM if parsed(d).backbone_name == config.backbone_name]
    assert same
    for downstream in [d for d in same if d.get('bodies') == config.get('bodies')]:
        backbone, features = downstream.model.backbone, downstream.model.cls_head.in_channels
        pool = backbone.get('encoder', backbone).pop('pool', None)
        # Adapters may read earlier maps too; the last one is the same.
        trained = dict(config.model.backbone)
        assert trained.pop('out_indices', (3,))[-1] == 3
        assert backbone == trained
        assert pool is None or pool == config.model.pooling.get('mode', 'mean')
        if 'adapters' not in config.model:
            heads = [head for head in config.model.heads.values() if head]
            assert {head.get('in_channels', features) for head in heads} == {features}
        if not downstream.get('bodies'):
            theirs, own = (d.model.data_preprocessor for d in (downstream, config))
            assert (theirs.mean, theirs.std) == (own.mean, own.std)
        modes = {
            part.mode
            for d in (config, downstream)
            for part in steps(loaders(d), 'NormalizeSkeleton')
        }
        assert len(modes) == (config.get('bodies') is not None)
        if downstream.dataset_name == config.dataset_name:
            theirs, own = (loaders(part)[0].dataset for part in (downstream, config))
            assert (theirs.ann_file, theirs.data_prefix) == (own.ann_file, own.data_prefix)


@pytest.mark.parametrize(
    ('own', 'measured'),
    [
        ('csvr_tsm-lite0.py', 'csvr_tsm-lite0_jhmdb.py'),
        ('dtg_tsm-lite0.py', 'dtg_tsm-lite0_jhmdb.py'),
        ('dtg-joint_tsm-lite0.py', 'dtg_tsm-lite0_joint_jhmdb.py'),
    ],
)
def test_your_own_videos_are_trained_as_the_measured_set(own: str, measured: str):
    """As many clips are seen; the folder of the tests has two."""
    mine, theirs = load(own), load(measured)
    assert mine.train_cfg.max_epochs == theirs.train_cfg.max_epochs * 675 // 2
    assert mine.param_scheduler[-1]['end'] == mine.train_cfg.max_epochs
    for config in (mine, theirs):
        config.model.heads.get('recognition', {}).pop('cls_head', None)  # the number of classes
    assert mine.model == theirs.model
    assert mine.optim_wrapper == theirs.optim_wrapper
    assert loaders(mine)[0].dataset.pipeline == loaders(theirs)[0].dataset.pipeline


def test_sets_that_are_joined_read_caches_of_their_own():
    names = ['jhmdb', 'utdmhad', 'arid', 'demo']
    datasets = load('dtg_tsm-lite0_videos.py').train_dataloader.dataset.datasets
    roots = [Path(part.ann_file).parent for part in datasets]
    assert [root.name for root in roots] == names
    for part, root in zip(datasets, roots):
        assert part.data_prefix.video == str(root)
        caches = [Path(path) for _, path in caches_read_by(part)]
        assert {path.parent for path in caches} == {root / 'targets'} and len(caches) == 2


@pytest.mark.parametrize(
    'name',
    [
        'ms2l_gru_nwucla.py',
        'ms2l-cameras_gru_nwucla.py',
        'c2vl_gru_nwucla.py',
        'ms2l-c2vl_gru_nwucla.py',
    ],
)
def test_pretraining_reads_no_label(name, train, made_set, tmp_path):
    """The same weights to the bit, whatever the annotation's labels are."""
    ends = []
    for number, label in enumerate(('', ' 1')):
        ann_file = made_set / f'{Path(name).stem}_{number}.txt'  # caches lie beside it
        names = [line.split()[0] for line in (made_set / 'train.txt').read_text().splitlines()]
        ann_file.write_text(''.join(f'{clip}{label}\n' for clip in names))
        runner = train(name, ann_file, work_dir=str(tmp_path / str(number)))
        ends.append([value.detach().clone() for value in runner.model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends))


# --- a data set of one's own -----------------------------------------------------------------

VIDEO_SET = """
dataset_name = 'mine'
data_root = '{root}'
train_set = dict(ann_file=f'{{data_root}}/train.txt', data_prefix=dict(video=data_root))
test_set = dict(ann_file=f'{{data_root}}/test.txt', data_prefix=dict(video=data_root))
"""
SKELETON_SET = """
dataset_name = 'mine'
data_root = '{root}'
bodies = dict(layout='ntu25', num_persons=2)
train_set = dict(ann_file=f'{{data_root}}/train.txt', data_prefix=dict(skeleton=data_root))
test_set = dict(ann_file=f'{{data_root}}/test.txt', data_prefix=dict(skeleton=data_root))
"""


def make_videos(root: Path) -> None:
    names = [f'{number}.mp4' for number in range(4)]
    meta = TargetMeta(kind='pose', layout='coco17', fingerprint='made', source='a test')
    with TargetWriter(root / 'targets/pose.lmdb', meta) as writer:
        for name in names:
            write_video(root / name, 40, 96, 72)
            writer.put(name, np.random.default_rng(0).random((40, 17, 3)).astype(np.float32))
    for split in ('train', 'test'):
        (root / f'{split}.txt').write_text('\n'.join(names))


def make_skeletons(root: Path) -> None:
    names = [f'clip{number}' for number in range(4)]
    generator = np.random.default_rng(0)
    with SkeletonWriter(root, 'mine', 'ntu25', ['one'], 2) as writer:
        for name in names:
            writer.add(name, 0, generator.normal(size=(2, 20, 25, 3)).astype(np.float32))
        writer.finish({'train': names, 'test': names})


@pytest.mark.parametrize(
    ('like', 'known_set', 'set_file', 'make'),
    [
        ('csvr_r3d_jhmdb.py', 'jhmdb', VIDEO_SET, make_videos),
        ('ms2l_gru_nwucla.py', 'nwucla', SKELETON_SET, make_skeletons),
    ],
    ids=['CSVR', 'MS2L'],
)
def test_a_new_data_set_is_one_file(like, known_set, set_file, make, tmp_path):
    """As a user would: a file in sets/, and a copy of a config that names it."""
    (tmp_path / 'data').mkdir()
    make(tmp_path / 'data')
    shutil.copytree(CONFIGS / '_base_', tmp_path / '_base_')
    (tmp_path / '_base_/sets/mine.py').write_text(set_file.format(root=tmp_path / 'data'))
    text = (CONFIGS / like).read_text().replace(f'sets/{known_set}.py', 'sets/mine.py')
    assert text.count('mine') == 1
    (tmp_path / 'mine.py').write_text(text)

    config = Config.fromfile(tmp_path / 'mine.py')
    config.merge_from_dict(
        {
            'work_dir': str(tmp_path / 'work'),
            'train_cfg.max_epochs': 1,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'test_dataloader.num_workers': 0,
        }
    )
    runner = Runner.from_cfg(config)
    before = [value.detach().clone() for value in runner.model.backbone.parameters()]
    runner.train()
    assert runner.iter == 2
    after = list(runner.model.backbone.parameters())
    assert not any(torch.equal(one, other) for one, other in zip(before, after))
    metrics = runner.test()
    tasks = {name for name, head in config.model.heads.items() if head}
    assert {name.partition('/')[0] for name in metrics} == tasks
    assert all(np.isfinite(value) for value in metrics.values())


# Two clips of one subject or source video, and one of another, as the lists of a set name them.
CLIPS = {
    'demo': (
        'videos/wave_s03_c1_000.mp4',
        'videos/clap_s03_c0_001.mp4',
        'videos/clap_s04_c0_0.mp4',
    ),
    'demo-skeleton': ('wave_s03_c1_000', 'clap_s03_c0_001', 'clap_s04_c0_000'),
    'hmdb51': (
        'catch/Ball_hochwerfen_-_catch_f_cm_np1_ri_goo_0.avi',
        'catch/Ball_hochwerfen_-_catch_u_nm_np1_ri_med_11.avi',
        'catch/Finding_Forrester_1_catch_f_cm_np1_le_med_0.avi',
    ),
    'jhmdb': ('videos/catch_017.mp4', 'videos/catch_018.mp4', 'videos/catch_020.mp4'),
    'msraction3d': ('a01_s02_e01', 'a07_s02_e03', 'a01_s03_e01'),
    'ntu60-xsub': ('S001C001P003R001A001', 'S002C003P003R002A009', 'S001C001P007R001A001'),
    'ntu120-xsub': ('S018C001P008R001A061', 'S019C003P008R002A009', 'S018C001P041R001A061'),
    'ntu60-xview': ('S001C001P003R001A001', 'S002C003P003R002A009', 'S001C001P007R001A001'),
    'ntu120-xset': ('S018C001P008R001A061', 'S019C003P008R002A009', 'S018C001P041R001A061'),
    'nwucla': ('a01_s01_e00_v01', 'a12_s01_e03_v02', 'a01_s02_e00_v01'),
    'pkummd1': ('0002-L_1', '0002-R_9', '0003-L_1'),
    'pkummd2': ('A01N01-L_0', 'A01N02-M_3', 'A02N01-L_0'),
    'ucf101': (
        'v_ApplyLipstick_g08_c01.avi',
        'v_ApplyLipstick_g08_c02.avi',
        'v_ApplyLipstick_g09_c01.avi',
    ),
    'arid': (
        'videos/train/Jump/Jump_11_1.mp4',
        'videos/train/Run/Run_11_3.mp4',
        'videos/train/Jump/Jump_8_1.mp4',
    ),
    'utdmhad': ('videos/a1_s1_t1.mp4', 'videos/a2_s1_t4.mp4', 'videos/a1_s3_t1.mp4'),
    'utdmhad-skeleton': ('a1_s1_t1', 'a2_s1_t4', 'a1_s3_t1'),
    'utkinect': ('s01_e01_a01', 's01_e02_a03', 's02_e01_a01'),
}


@pytest.mark.parametrize(
    'name',
    [n for n in DOWNSTREAM if re.search(r'/(r3d18|gru)\.py', n) and 'sthv2' not in n],
)
def test_the_folds_of_a_linear_probe_keep_recordings_whole(name: str):
    config = load(name)  # of sthv2 no recording has two clips
    clips = CLIPS[config.dataset_name.removesuffix('-unseen')]
    one, two, other = sample_groups(clips, config.linear.group_pattern)
    assert one == two != other
