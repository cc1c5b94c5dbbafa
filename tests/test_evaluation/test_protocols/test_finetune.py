"""Fine-tuning with the Runner: what it starts from, what it sees, what it reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmact_ssl.evaluation.protocols.finetune import LABELED_SAMPLES


def test_starts_from_the_student_and_reports_the_last_epoch(
    finetune_config, student_checkpoint, tmp_path, monkeypatch, run, recognizers
):
    at_start = {}
    tested = []
    run_epoch, test = EpochBasedTrainLoop.run_epoch, Runner.test

    def spy_epoch(self):
        if self.epoch == 0:
            state = self.runner.model.state_dict()
            at_start.update({key: value.clone().cpu() for key, value in state.items()})
        return run_epoch(self)

    def spy_test(self):
        tested.append(self.epoch)
        return test(self)

    monkeypatch.setattr(EpochBasedTrainLoop, 'run_epoch', spy_epoch)
    monkeypatch.setattr(Runner, 'test', spy_test)
    finetune_config.model.backbone.pretrained = '/no/such/start.pth'  # those of the file are enough
    options = dict(work_dir=str(tmp_path / 'run'), seed=1)
    (result,) = run(finetune_config, ['finetune'], student_checkpoint, **options)
    metrics = result.metrics
    stored = torch.load(student_checkpoint, weights_only=True)['state_dict']
    for key, value in stored.items():
        if key.startswith('backbone.'):
            assert torch.equal(at_start[key], value), key
    moved = recognizers[0].state_dict()['backbone.layer4.1.conv2.conv.weight']
    assert not torch.equal(moved.cpu(), stored['backbone.layer4.1.conv2.conv.weight'])
    assert tested == [2], 'tested once, after the last epoch'
    assert set(metrics) == {'top1', 'mean_class', 'n_test'}
    assert 0 <= metrics['top1'] <= 1
    confusion = np.array(result.details['confusion'])
    assert confusion.sum(axis=1).tolist() == [2, 2, 2], 'test videos of each class'
    assert np.trace(confusion) / 6 == pytest.approx(metrics['top1'])
    assert (tmp_path / 'run' / 'epoch_2.pth').is_file()


@pytest.mark.parametrize(('fraction', 'minimum', 'repeats'), [(0.5, 5, 4), (1.0, 0, 1)])
def test_only_the_labeled_samples_are_read_and_few_are_repeated(
    finetune_config, labeled_world, tmp_path, monkeypatch, run, fraction, minimum, repeats
):
    """Six samples in batches of four are 2 iterations; four times over, 6."""
    from mmaction.datasets import VideoDataset

    read: dict[str, list[str]] = {'train': [], 'test': []}
    prepare = VideoDataset.prepare_data

    def spy(self, position):
        name = self.get_data_info(position)['filename']
        read['test' if self.test_mode else 'train'].append(Path(name).name)
        return prepare(self, position)

    monkeypatch.setattr(VideoDataset, 'prepare_data', spy)
    finetune_config.train_cfg.max_epochs = 1
    finetune_config.finetune.min_iters_per_epoch = minimum
    run(finetune_config, ['finetune'], label_fraction=fraction, work_dir=str(tmp_path))
    lines = (tmp_path / LABELED_SAMPLES).read_text().splitlines()
    assert len(lines) == 12 * fraction
    assert sorted(read['train']) == sorted(Path(li.split()[0]).name for li in lines * repeats)
    test = (labeled_world / 'test.txt').read_text().splitlines()
    assert sorted(read['test']) == sorted(Path(line.split()[0]).name for line in test)
    assert not {*read['train']} & {*read['test']}


def test_a_seed_decides_everything(finetune_config, tmp_path, run, recognizers, on_cpu):
    finetune_config.train_cfg.max_epochs = 1
    for number in range(2):
        run(finetune_config, ['finetune'], work_dir=str(tmp_path / str(number)), seed=3)
    first, again = (recognizer.state_dict() for recognizer in recognizers)
    assert all(torch.equal(value, again[key]) for key, value in first.items())


def test_a_slow_backbone_keeps_the_settings_of_its_parameters(
    finetune_config, student_checkpoint, tmp_path, run, monkeypatch
):
    """Weight decay, as the config sets it for norms and by name, from either start."""
    settings = []
    train = Runner.train

    def spy(self):
        model = train(self)
        names = {id(value): name for name, value in model.named_parameters()}
        settings.append(
            {
                names[id(group['params'][0])]: (group['initial_lr'], group['weight_decay'])
                for group in self.optim_wrapper.param_groups
                if id(group['params'][0]) in names  # not mmengine's own, of the logged rate
            }
        )
        return model

    monkeypatch.setattr(Runner, 'train', spy)
    finetune_config.train_cfg.max_epochs = 1
    finetune_config.finetune.pretrained_lr_mult = 0.1
    finetune_config.optim_wrapper.paramwise_cfg = dict(
        norm_decay_mult=0.0, custom_keys={'layer1.0.conv1': dict(decay_mult=0.5)}
    )
    for checkpoint in (None, student_checkpoint):
        work_dir = str(tmp_path / str(checkpoint is None))
        run(finetune_config, ['finetune'], checkpoint, work_dir=work_dir)
    scratch, pretrained = settings
    assert scratch.keys() == pretrained.keys()
    for name, (rate, decay) in scratch.items():
        slower = 0.1 if name.startswith('backbone') else 1
        assert pretrained[name] == (pytest.approx(slower * rate), decay), name
    assert len({decay for _, decay in scratch.values()}) == 3
