"""Labels that a student has read, and the draws of labels that it is then refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.evaluate import check_draw
from mmact_ssl.evaluation.protocols.base import ProtocolInput
from mmact_ssl.io.records import LabelsRead
from mmact_ssl.io.student_file import StudentFile
from tests.test_evaluation.test_evaluate import made_features

READ = dict(dataset='mine', fraction=0.2, seed=3)


def save(path: Path, labels: dict[str, Any]) -> StudentFile:
    torch.save(dict(state_dict={'a': torch.zeros(1)}, meta=dict(record=dict(labels=labels))), path)
    return StudentFile.read(path)


@pytest.fixture
def inputs_of(make_inputs):
    """Makes inputs of a student with a data set."""

    def make(saved: StudentFile, dataset: str, shared: str = '', **options: Any) -> ProtocolInput:
        inputs = make_inputs(**made_features(), num_classes=2, saved=saved, **options)
        inputs.cfg.merge_from_dict(dict(dataset_name=dataset, shared_label_pattern=shared))
        return inputs

    return make


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
def test_another_draw_of_the_labels_is_refused(protocol, fraction, seed, fits, tmp_path, inputs_of):
    saved = save(tmp_path / 'joint.pth', READ)
    assert saved.labels_read == LabelsRead('mine', 0.2, 3)
    mine, other = (
        inputs_of(saved, name, seed=seed, label_fraction=fraction) for name in ('mine', 'other')
    )
    if protocol == 'joint':
        with pytest.raises(ConfigError, match='knows the classes of mine, not of other: give the'):
            check_draw(other, protocol)
    else:
        check_draw(other, protocol)
    if fits:
        check_draw(mine, protocol)
    else:
        with pytest.raises(ConfigError, match=r'give --label-fraction 0\.2 --seeds 3 .*, or'):
            check_draw(mine, protocol)


def test_labels_that_recordings_share_are_read_as_well(tmp_path, inputs_of):
    saved = save(tmp_path / 'a.pth', dict(READ, shared='(.+)_v'))
    check_draw(inputs_of(saved, 'mine', '(.+)_v', seed=3, label_fraction=0.2), 'linear')
    with pytest.raises(ConfigError, match='give .* and its shared_label_pattern'):
        check_draw(inputs_of(saved, 'mine', seed=3, label_fraction=0.2), 'linear')


def test_a_fine_tuned_network_is_evaluated_like_its_student_and_knows_its_labels(
    linear_config, finetune_config, video_encoder, student_checkpoint, tmp_path, run
):
    """Without an option: its checkpoint records the encoder, the data and the draw."""
    finetune_config.train_cfg.max_epochs = 1
    finetune_config.finetune.min_iters_per_epoch = 0
    options = dict(label_fraction=0.5, seed=3, work_dir=str(tmp_path / 'run'))
    run(finetune_config, ['finetune'], student_checkpoint, **options)
    assert StudentFile.read(student_checkpoint).labels_read is None
    tuned = StudentFile.read(tmp_path / 'run')
    assert tuned.labels_read == LabelsRead('made', 0.5, 3)
    assert (tuned.record['encoder'], tuned.dataset_name) == (video_encoder.record, 'made')
    with pytest.raises(ConfigError, match='a fraction of 0.5 of the labels of made, drawn by'):
        run(linear_config, ['knn'], tuned.path, label_fraction=0.25)
    (result,) = run(linear_config, ['linear'], tuned.path)
    (before,) = run(linear_config, ['linear'], student_checkpoint)
    assert result.metrics['effective_rank'] != before.metrics['effective_rank']
    assert result.config_hash == before.config_hash
