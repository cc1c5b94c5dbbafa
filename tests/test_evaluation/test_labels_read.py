"""Labels that a student was trained with: recorded, and compared with those that are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.evaluate import check_labels
from mmact_ssl.evaluation.protocols.base import Request
from mmact_ssl.saved_run import LabelsRead, SavedRun
from tools import publish_model

JOINT = """
label_fraction = 0.7  # an option may have changed what the data set was built with
dataset_name = 'mine'
model = dict(data_preprocessor=dict(targets={'sample.label': None}))
train_dataloader = dict(dataset=dict(label_fraction=0.2, label_seed=3))
"""


def save(path: Path, config: str) -> SavedRun:
    torch.save({'state_dict': {}, 'meta': {'cfg': config}}, path)
    return SavedRun.read(path)


@pytest.mark.parametrize(
    ('protocol', 'fraction', 'seed', 'fits'),
    [
        ('linear', 0.2, 3, True),
        ('lda', 0.5, 3, True),  # a larger share of the same draw
        ('finetune', 1.0, 0, True),
        ('linear', 0.1, 3, False),
        ('knn', 0.5, 0, False),
        ('fewshot', 1.0, 3, False),
        ('retrieval', 0.1, 0, True),  # draws no labels
        ('joint', 0.2, 3, True),
        ('joint', 0.5, 3, False),
        ('joint', 0.2, 0, False),
    ],
)
def test_another_draw_of_the_labels_is_refused(protocol, fraction, seed, fits, tmp_path):
    student = save(tmp_path / 'joint.pth', JOINT)
    assert student.labels_read == LabelsRead('mine', 0.2, 3)
    mine, other = (
        Request(Config(dict(dataset_name=name)), seed=seed, label_fraction=fraction)
        for name in ('mine', 'other')
    )
    if protocol == 'joint':
        with pytest.raises(ConfigError, match='knows the classes of mine, not of other: give the'):
            check_labels(student, protocol, other)
    else:
        check_labels(student, protocol, other)
    if fits:
        check_labels(student, protocol, mine)
    else:
        with pytest.raises(ConfigError, match=r'give --label-fraction 0\.2 --seeds 3 .*, or'):
            check_labels(student, protocol, mine)


@pytest.mark.parametrize(
    ('dataset', 'fraction', 'seed'),
    [
        ("{'label_fraction': 5e-2, 'label_seed': 12}", 0.05, 12),
        ('dict(datasets=[dict(label_fraction=0.2)])', 0.2, 0),
        ('dict(ann_file=1)', 1.0, 0),
    ],
)
def test_a_joint_training_has_its_draw_in_its_data_set(dataset, fraction, seed, tmp_path):
    config = JOINT.replace('dict(label_fraction=0.2, label_seed=3)', dataset)
    assert save(tmp_path / 'a.pth', config).labels_read == LabelsRead('mine', fraction, seed)


def test_labels_that_recordings_share_are_read_as_well(tmp_path):
    record = "labels_read = dict(dataset='mine', fraction=0.2, seed=3, shared='(.+)_v')"
    student = save(tmp_path / 'a.pth', record)
    shared = Config(dict(dataset_name='mine', shared_label_pattern='(.+)_v'))
    check_labels(student, 'linear', Request(shared, seed=3, label_fraction=0.2))
    alone = Request(Config(dict(dataset_name='mine')), seed=3, label_fraction=0.2)
    with pytest.raises(ConfigError, match='give .* and its shared_label_pattern'):
        check_labels(student, 'linear', alone)


def test_a_fine_tuned_network_keeps_its_labels_when_it_is_published(
    linear_config, finetune_config, student_checkpoint, tmp_path, run
):
    finetune_config.train_cfg.max_epochs = 1
    finetune_config.finetune.min_iters_per_epoch = 0
    options = dict(label_fraction=0.5, seed=3, work_dir=str(tmp_path / 'run'))
    run(finetune_config, ['finetune'], student_checkpoint, **options)
    downstream = tmp_path / 'downstream.py'
    linear_config.dump(str(downstream))
    tuned, output = str(tmp_path / 'run' / 'epoch_1.pth'), str(tmp_path / 'tuned')
    publish_model.main([tuned, output, '--downstream', str(downstream)])
    publish_model.main([tuned, output, '--format', 'pth'])
    assert SavedRun.read(student_checkpoint).labels_read is None
    for path in (tuned, *tmp_path.glob('tuned-*')):
        assert SavedRun.read(path).labels_read == LabelsRead('made', 0.5, 3)
        with pytest.raises(ConfigError, match='a fraction of 0.5 of the labels of made, drawn by'):
            run(linear_config, ['knn'], path, label_fraction=0.25)
    assert len(list(tmp_path.glob('tuned-*'))) == 2


@pytest.mark.parametrize('note', ['dict(share=1)', "dict(dataset='a', fraction='most', seed=0)"])
def test_a_damaged_note_of_labels_is_one_line(tmp_path, note):
    student = save(tmp_path / 'bad.pth', f'labels_read = {note}')
    with pytest.raises(CheckpointError, match=r'bad\.pth: .*: download it again'):
        assert student.labels_read


def test_weights_of_another_project_record_no_labels(tmp_path):
    """A .safetensors file without a card can be evaluated by a config."""
    save_file({'backbone.weight': torch.zeros(1)}, tmp_path / 'plain.safetensors')
    torch.save({'backbone.weight': torch.zeros(1)}, tmp_path / 'plain.pth')
    for name in ('plain.safetensors', 'plain.pth'):
        assert SavedRun.read(tmp_path / name).labels_read is None
