"""Every shipped config: views and targets are made, no label is read, a new data set is a file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmact_ssl.engine.launch import read_config
from mmact_ssl.evaluation.data import sample_groups
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.helpers.videos import write_video
from tests.shipped import CONFIGS, TOP_LEVEL, build, load, loaders, step, steps

READ_LABELS = re.compile('joint|moving')


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
        for part in steps(pipeline, 'SampleViews', 'MakeSkeletonViews'):
            assert set(preprocessor.views) <= {*part, *part.get('views', ())}


@pytest.mark.parametrize('name', ['ms2l_gru.py', 'ms2l-cameras_gru.py', 'c2vl_gru.py'])
def test_pretraining_reads_no_label(name, train, made_set, tmp_path):
    """The same weights to the bit, whatever the annotation's labels are."""
    ends = []
    for number, label in enumerate(('', ' 1')):
        ann_file = made_set / f'{Path(name).stem}_{number}.txt'  # caches lie beside it
        names = [line.split()[0] for line in (made_set / 'train.txt').read_text().splitlines()]
        ann_file.write_text(''.join(f'{clip}{label}\n' for clip in names))
        runner = train(f'{name}@nwucla', ann_file, work_dir=str(tmp_path / str(number)))
        ends.append([value.detach().clone() for value in runner.model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends))


# --- a data set of one's own -----------------------------------------------------------------

SET = """
dataset_name = 'mine'
data_root = '{root}'
bodies = dict(layout='ntu25', num_persons=2)
folder = dict(data_prefix=dict({kind}=data_root))
train_set = dict(ann_file=f'{{data_root}}/train.txt', **folder)
test_set = dict(ann_file=f'{{data_root}}/test.txt', **folder)
"""
VIDEO_SET = SET.replace('{kind}', 'video').replace(
    "bodies = dict(layout='ntu25', num_persons=2)\n", ''
)
SKELETON_SET = SET.replace('{kind}', 'skeleton')


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
    ('name', 'set_file', 'make', 'length'),
    [
        ('csvr_r3d18-small.py', VIDEO_SET, make_videos, 'max_epochs=1'),
        ('ms2l_gru.py', SKELETON_SET, make_skeletons, 'max_iters=2'),
    ],
    ids=['CSVR', 'MS2L'],
)
def test_a_new_data_set_is_one_file(name, set_file, make, length, tmp_path):
    (tmp_path / 'data').mkdir()
    make(tmp_path / 'data')
    (tmp_path / 'mine.py').write_text(set_file.format(root=tmp_path / 'data'))
    options = [
        f'train_cfg.{length}',
        'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'test_dataloader.num_workers=0',
    ]
    config = read_config(str(CONFIGS / name), options, dataset=str(tmp_path / 'mine.py'))
    config.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(config)
    before = [value.detach().clone() for value in runner.model.backbone.parameters()]
    runner.train()
    assert runner.iter == 2
    after = list(runner.model.backbone.parameters())
    assert not any(torch.equal(one, other) for one, other in zip(before, after))
    metrics = runner.test()
    assert {name.partition('/')[0] for name in metrics} == set(config.model.heads)
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
    'nwucla': ('a01_s01_e00_v01', 'a12_s01_e03_v02', 'a01_s02_e00_v01'),
    'pkummd1': ('0002-L_1', '0002-R_9', '0003-L_1'),
    'pkummd2': ('A01N01-L_0', 'A01N02-M_3', 'A02N01-L_0'),
    'ucf101': ('v_Lunges_g08_c01.avi', 'v_Lunges_g08_c02.avi', 'v_Lunges_g09_c01.avi'),
    'utdmhad': ('videos/a1_s1_t1.mp4', 'videos/a2_s1_t4.mp4', 'videos/a1_s3_t1.mp4'),
    'utdmhad-skeleton': ('a1_s1_t1', 'a2_s1_t4', 'a1_s3_t1'),
    'utkinect': ('s01_e01_a01', 's01_e02_a03', 's02_e01_a01'),
}


@pytest.mark.parametrize('dataset', CLIPS)
def test_the_folds_of_a_linear_probe_keep_recordings_whole(dataset: str):
    pattern = Config.fromfile(CONFIGS / f'_base_/sets/{dataset}.py').group_pattern
    one, two, other = sample_groups(CLIPS[dataset], pattern)
    assert one == two != other
