"""Labels that the starting weights of a training have read, recorded in its checkpoints."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from mmact_ssl.checkpoint_file import CARD_KEY
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.evaluate import check_request
from mmact_ssl.evaluation.protocols.base import Encoder, Request
from mmact_ssl.files import hash_names
from mmact_ssl.saved_run import LabelsRead, SavedRun
from tests.test_checkpoint_file import Constants, OneWeight
from tests.test_evaluation.test_labels_read import JOINT


@pytest.mark.parametrize('way', ['load_from', 'init_cfg', 'card'])
def test_labels_of_the_starting_weights_are_not_forgotten(
    linear_config, tmp_path, make_runner, way
):
    start, cfg = tmp_path / 'joint.pth', Config()
    weights = dict(weight=torch.zeros(1))
    if way == 'card':
        start = tmp_path / 'joint.safetensors'
        card = dict(labels_read=asdict(LabelsRead('made', 0.2, 3)))
        save_file(weights, start, {CARD_KEY: json.dumps(card)})
    else:
        meta = dict(cfg=JOINT.replace('mine', 'made'))
        torch.save(dict(state_dict=weights, meta=meta), start)
    options = dict(load_from=str(start))
    if way == 'init_cfg':
        init_cfg = dict(type='Pretrained', checkpoint=str(start))
        cfg, options = Config(dict(model=dict(backbone=dict(init_cfg=init_cfg)))), {}

    def train(folder: str, **options) -> SavedRun:
        known = dict(runner_class=PretrainRunner, cfg=Config(cfg.to_dict()), **options)
        make_runner(tmp_path / folder, OneWeight(), Constants(), **known).train()
        return SavedRun.read(tmp_path / folder)

    trained = train('run', **options)
    start.unlink()
    resumed = train('run', epochs=2, resume=True)
    again = train('again', load_from=resumed.path)
    for student in (trained, resumed, again):
        assert student.labels_read == LabelsRead('made', 0.2, 3)
        request = Request((Encoder(linear_config, student),), label_fraction=0.1, seed=3)
        with pytest.raises(ConfigError, match='labels of made that are not drawn here'):
            check_request(request, ['knn'])
        with pytest.raises(ConfigError, match='labels of made, so its features'):
            check_request(replace(request, label_fraction=1.0), ['fewshot'])
    assert train('plain').labels_read is None


@pytest.mark.parametrize(
    ('names', 'meaning'), [('', ['a 0']), ('run\nwalk\n', ['0 run', '1 walk'])]
)
def test_a_joint_training_adds_its_labels_to_those_of_its_start(
    tmp_path, make_runner, names, meaning
):
    """And the meaning of its labels, for its classifier."""
    if names:
        (tmp_path / 'classes.txt').write_text(names)
    ann_file = tmp_path / 'list.txt'
    ann_file.write_text('a 0\nb\n')
    start = tmp_path / 'joint.pth'
    torch.save(dict(state_dict=dict(weight=torch.zeros(1)), meta=dict(cfg=JOINT)), start)
    cfg = Config.fromstring(JOINT.replace('mine', 'second'), '.py')
    cfg.train_dataloader.dataset.ann_file = str(ann_file)
    options = dict(runner_class=PretrainRunner, cfg=cfg, load_from=str(start))
    make_runner(tmp_path / 'run', OneWeight(), Constants(), **options).train()
    ann_file.unlink()
    read = SavedRun.read(tmp_path / 'run').labels_read
    assert read.earlier == (LabelsRead('mine', 0.2, 3),)
    classes = f'{"names" if names else "samples"}:{hash_names(meaning)}'
    assert read.records[0] == LabelsRead('second', 0.2, 3, hash_names(['a']), classes=classes)
