"""Which checkpoint a run goes on from, and which it refuses."""

from __future__ import annotations

import os
import re
import resource
import shutil
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.io.checkpoint_file import newest_checkpoint
from mmact_ssl.io.weights import load_trained, read_trained
from tests.test_io.test_checkpoint_file import Constants, OneWeight


@pytest.fixture
def make(make_runner):
    def make(folder: Path, epochs: int = 2, **options):
        return make_runner(
            folder, OneWeight(), Constants(), epochs=epochs, runner_class=PretrainRunner, **options
        )

    return make


@pytest.fixture
def folder(make, tmp_path):
    make(tmp_path / 'run').train()
    return tmp_path / 'run'


def damage(path: Path, size: int = 8) -> None:
    """Change bytes of the only weight, and leave the archive whole."""
    content = bytearray(path.read_bytes())
    weight = torch.load(path, weights_only=False)['state_dict']['weight'].numpy().tobytes()
    where = content.index(weight)
    content[where : where + size] = b'\xff' * size
    path.write_bytes(content)


def test_a_work_dir_stands_for_its_newest_checkpoint(folder, tmp_path):
    path, content = read_trained(str(folder))
    (folder / 'epoch_2.pth').unlink()  # a training may replace it
    assert (path, content['meta']['epoch']) == (str(folder / 'epoch_2.pth'), 2)
    load_trained(OneWeight(), path, content)
    path = str(folder / 'epoch_1.pth')
    assert read_trained(path)[0] == path
    (tmp_path / 'empty').mkdir()
    with pytest.raises(CheckpointError, match='empty: no checkpoint in this folder'):
        read_trained(str(tmp_path / 'empty'))


def test_a_run_without_last_checkpoint_goes_on(make, folder):
    (folder / 'last_checkpoint').unlink()
    runner = make(folder, epochs=3, resume=True)
    runner.train()
    assert runner.iter == 6 and (folder / 'epoch_3.pth').is_file()


def test_a_copied_folder_goes_on_from_its_own_files(make, folder, tmp_path):
    shutil.copytree(folder, tmp_path / 'copy')
    (tmp_path / 'copy' / 'epoch_2.pth').unlink()  # last_checkpoint names that of the original
    assert newest_checkpoint(tmp_path / 'copy') == str(tmp_path / 'copy' / 'epoch_1.pth')


@pytest.mark.parametrize('zone', ['UTC+12', 'UTC-12'])
def test_clocks_do_not_order_checkpoints(make, folder, monkeypatch, zone):
    """Resumed where the local time is earlier, or later, by half a day."""
    monkeypatch.setenv('TZ', zone)
    time.tzset()
    try:
        make(folder, epochs=3, resume=True).train()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert newest_checkpoint(folder) == str(folder / 'epoch_3.pth')
    for path in folder.glob('*.pth'):
        os.utime(path, (0, 0) if path.stem == 'epoch_3' else None)
    assert newest_checkpoint(folder) == str(folder / 'epoch_3.pth')


def test_a_later_start_in_a_folder_counts_before_more_iterations(make, folder):
    """Of a training begun anew, and of one that goes on from an earlier checkpoint."""
    make(folder, epochs=4, resume=True).train()
    make(folder, epochs=1).train()
    assert newest_checkpoint(folder) == str(folder / 'epoch_1.pth')
    runner = make(folder, epochs=3, resume=True, load_from=str(folder / 'epoch_2.pth'))
    runner.train()
    assert runner.iter == 6 and (folder / 'epoch_4.pth').is_file()
    assert newest_checkpoint(folder) == str(folder / 'epoch_3.pth')


def test_checkpoints_of_earlier_versions_are_older(make, folder):
    for path in folder.glob('epoch_*.pth'):
        content = torch.load(path, weights_only=False)
        del content['meta']['starts']
        torch.save(content, path)
    assert newest_checkpoint(folder) == str(folder / 'epoch_2.pth')
    make(folder, epochs=1).train()
    assert newest_checkpoint(folder) == str(folder / 'epoch_1.pth')


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize('break_it', [damage, cut])
def test_one_that_is_not_whole_is_passed_over_and_without_another_the_run_stops(
    capsys, make, folder, break_it
):
    break_it(folder / 'epoch_2.pth')
    assert newest_checkpoint(folder) == str(folder / 'epoch_1.pth')
    told = 'cut, its end is missing: skipped' if break_it is cut else 'damaged, .* of .*data/'
    assert re.search(rf'epoch_2\.pth: .*{told}', capsys.readouterr().err)
    break_it(folder / 'epoch_1.pth')
    with pytest.raises(CheckpointError, match='none of its 2 checkpoints is whole'):
        make(folder, resume=True).train()


def test_nothing_to_resume_starts_from_the_weights_of_the_config(make, folder, tmp_path):
    weights = torch.load(folder / 'epoch_2.pth', weights_only=False)['state_dict']
    weights = {name: torch.full_like(value, 7.0) for name, value in weights.items()}
    torch.save({'state_dict': weights}, tmp_path / 'weights.pth')
    start = str(tmp_path / 'weights.pth')
    (tmp_path / 'new').mkdir()
    (tmp_path / 'new' / 'last_checkpoint').write_text('')
    runner = make(tmp_path / 'new', load_from=start, resume='auto')
    runner.load_or_resume()
    assert not runner._resume
    assert all((value == 7).all() for value in runner.model.state_dict().values())
    runner = make(folder, epochs=3, load_from=start, resume='auto')
    runner.load_or_resume()
    assert runner.epoch == 2, 'once it has checkpoints, from the newest'
    assert not any((value == 7).all() for value in runner.model.state_dict().values())


class Normalized(OneWeight):
    """With the buffers of a normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)


@pytest.mark.parametrize('is_wide', [False, True])
def test_a_start_that_brings_no_weight_is_refused(make_runner, tmp_path, is_wide):
    """Also a wider network of the same layers: its numbers of batches alone would fit."""
    state = Normalized().state_dict()
    wide = {name: value.repeat(9) if value.ndim else value for name, value in state.items()}
    start = wide if is_wide else {f'backbone.{name}': value for name, value in state.items()}
    torch.save({'state_dict': start}, tmp_path / 'other.pth')
    options = dict(runner_class=PretrainRunner, load_from=str(tmp_path / 'other.pth'))
    with pytest.raises(CheckpointError, match=r'other\.pth: no weight has a name and shape of'):
        make_runner(tmp_path / 'run', Normalized(), Constants(), **options).train()
    for wrong in ({3: torch.ones(1)}, [1], {**state, 'weight': torch.tensor([torch.nan])}):
        torch.save({'state_dict': wrong}, tmp_path / 'other.pth')
        with pytest.raises(CheckpointError, match=r'other\.pth: .*: (correct|download)'):
            make_runner(tmp_path / 'run', Normalized(), Constants(), **options).train()


def test_a_run_that_is_done_says_so(make, folder):
    runner = make(folder, epochs=2, resume=True)
    said: list[str] = []
    runner.logger.warning = said.append
    runner.train()
    assert 'epoch 2 of 2 is done, nothing is left to train' in said[-1]


def test_weights_alone_cannot_be_resumed(make, folder, tmp_path):
    weights = torch.load(folder / 'epoch_2.pth', weights_only=False)['state_dict']
    for content in (weights, {'state_dict': weights, 'meta': {'epoch': 1}}):
        torch.save(content, tmp_path / 'weights.pth')
        with pytest.raises(CheckpointError, match='weights.pth: holds weights and no state of'):
            make(tmp_path / 'b', load_from=str(tmp_path / 'weights.pth'), resume=True).train()


def test_a_run_of_another_model_is_not_resumed(make, folder):
    loaded = torch.load(folder / 'epoch_2.pth', weights_only=False)
    loaded['state_dict']['other'] = loaded['state_dict'].pop('weight')
    torch.save(loaded, folder / 'epoch_2.pth')
    with pytest.raises(ConfigError, match=r'epoch_2\.pth: .*unexpected key.*other') as error:
        make(folder, epochs=3, resume=True).train()
    assert '\n' not in str(error.value)


def test_a_full_disk_leaves_the_last_good_checkpoint(make, folder):
    kept = (folder / 'epoch_2.pth').read_bytes()
    runner = make(folder, epochs=3, resume=True)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) // 2, limits[1]))
    try:
        with pytest.raises(CheckpointError, match=r'epoch_3\.pth cannot be saved \(File too large'):
            runner.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(folder.glob('epoch_3.pth*'))
    assert newest_checkpoint(folder) == str(folder / 'epoch_2.pth')
    assert (folder / 'epoch_2.pth').read_bytes() == kept
