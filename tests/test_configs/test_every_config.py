"""Every shipped config: views and targets are made, no label is read, a new data set is a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmact_ssl.evaluation.data import sample_groups
from mmact_ssl.io.files import read_annotation
from tests.shipped import CONFIGS, TOP_LEVEL, build, load, loaders, step

READ_LABELS = re.compile('joint|moving')


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_views_are_those_of_the_pipeline_and_labels_are_read_where_the_name_tells_it(name: str):
    config = load(name)
    preprocessor = build(config).data_preprocessor
    reads_labels = bool(READ_LABELS.search(name))
    assert ('sample.label' in preprocessor.targets) == reads_labels
    for loader in loaders(config):
        pack = step(loader, 'PackInputs')
        assert tuple(pack['views']) == tuple(preprocessor.views)
        assert pack.get('label', False) == reads_labels


CHANGES = {'c2vl_gru.py': {'model.heads.prompts.prompt_channels': 16}}


@pytest.mark.parametrize('name', ['ms2l_gru.py', 'ms2l-cameras_gru.py', 'c2vl_gru.py'])
def test_pretraining_reads_no_label(name, train, made_data, tmp_path):
    """The same weights to the bit, whatever the annotation's labels are."""
    ends = []
    for number, label in enumerate(('', ' 1')):
        ann_file = made_data / f'nwucla/{Path(name).stem}_{number}.txt'  # caches lie beside it
        names, _ = read_annotation(made_data / 'nwucla/xview_train.txt', '')
        ann_file.write_text(''.join(f'{clip}{label}\n' for clip in names))
        changes = {'train_dataloader.dataset.ann_file': str(ann_file), **CHANGES.get(name, {})}
        runner = train(name, work_dir=str(tmp_path / str(number)), **changes)
        ends.append([value.detach().clone() for value in runner.model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends))


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
