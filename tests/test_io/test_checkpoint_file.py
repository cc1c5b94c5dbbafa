"""Checkpoints are data: ours resume, anything that could run code is refused in one line."""

from __future__ import annotations

import functools
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel, BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmact_ssl.errors import CheckpointError
from mmact_ssl.io import weights
from mmact_ssl.io.checkpoint_file import allowed_objects, load_checkpoint_safely, read_state_dict
from tests.helpers.processes import in_processes

WIDE = functools.reduce(lambda part, _: [part] * 2, range(22), 1)  # small in a file


class RunsCode:
    """Unpickling this creates a file: proof that code ran."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return Path.touch, (self.witness,)


class LooksUp:
    """Unpickling this calls getattr on whatever it was given."""

    def __init__(self, owner: Any, name: str) -> None:
        self.arguments = (owner, name)

    def __reduce__(self) -> tuple:
        return getattr, self.arguments


class Constants(Dataset):
    """Four samples for a model that does not look at them."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict:
        return {'inputs': torch.full((1,), float(index))}


class OneWeight(BaseModel):
    """loss = (w * x)^2, enough for a whole training run."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Any, mode: str = 'tensor', **_: Any) -> Any:
        return {'loss': (self.weight * torch.stack(inputs)).square().mean()}


def test_log_history_and_numpy_values_come_back(tmp_path: Path):
    values = {
        'weight': torch.arange(6.0).view(2, 3),
        'history': HistoryBuffer([1.0, 3.0], [1, 1]),
        'array': np.arange(4, dtype=np.int64),
        'names': np.array(['a', 'bc']),
        'scalars': [np.float32(0.5), np.float64(0.25), np.int64(7), np.bool_(True)],
    }
    torch.save(values, tmp_path / 'x.pth')
    loaded = load_checkpoint_safely(tmp_path / 'x.pth')
    assert torch.equal(loaded['weight'], values['weight'])
    assert loaded['history'].mean() == 2.0
    assert loaded['history'].statistics('max') == 3.0
    np.testing.assert_array_equal(loaded['array'], values['array'])
    assert loaded['names'].tolist() == ['a', 'bc']
    assert loaded['scalars'] == values['scalars']
    assert [*map(type, loaded['scalars'])] == [np.float32, np.float64, np.int64, np.bool_]


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_code_is_refused_and_named(tmp_path: Path, zipped: bool):
    witness = tmp_path / 'witness'
    path = tmp_path / 'x.pth'
    torch.save({'x': RunsCode(witness)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match='x.pth: refused, it holds more than weights') as info:
        load_checkpoint_safely(path)
    assert 'pathlib' in str(info.value) or 'getattr' in str(info.value)
    assert '\n' not in str(info.value)
    assert not witness.exists()


@pytest.mark.parametrize(
    ('owner', 'name'),
    [(HistoryBuffer, '__init__'), (HistoryBuffer, 'register_statistics'), (np.ndarray, 'mean')],
)
def test_only_the_statistics_of_a_log_history_can_be_looked_up(
    tmp_path: Path, owner: type, name: str
):
    torch.save(LooksUp(owner, name), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='refused'):
        load_checkpoint_safely(tmp_path / 'x.pth')
    torch.save({'x': LooksUp(HistoryBuffer, 'mean')}, tmp_path / 'x.pth')
    assert load_checkpoint_safely(tmp_path / 'x.pth')['x'] is HistoryBuffer.mean


@pytest.mark.parametrize('way', ['load_from', 'resume', 'init_cfg', 'address'])
def test_no_way_to_load_runs_code(tmp_path: Path, make_runner, way, monkeypatch):
    path, witness = tmp_path / 'malicious.pth', tmp_path / 'witness'
    state = {'weight': torch.ones(1), 'extra': RunsCode(witness)}
    torch.save({'meta': {'epoch': 1, 'iter': 4}, 'state_dict': state}, path)

    def download(address: str, to: str, sha256: str) -> None:
        assert sha256 == '01234567'
        shutil.copy(path, to)

    if way == 'init_cfg':
        load = BaseModule(init_cfg=dict(type='Pretrained', checkpoint=str(path))).init_weights
    elif way == 'address':
        monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
        monkeypatch.setattr(weights, 'download', download)
        (tmp_path / 'checkpoints').mkdir()
        address = 'https://x.org/malicious-01234567.pth'
        load = functools.partial(CheckpointLoader.load_checkpoint, address)
    else:
        options = dict(load_from=str(path), resume=way == 'resume')
        load = make_runner(tmp_path / 'run', OneWeight(), Constants(), **options).train
    with pytest.raises(CheckpointError, match=r'malicious.*\.pth: refused'):
        load()
    assert not witness.exists()
    torch.load(path, weights_only=False)
    assert witness.exists(), 'the attack would work'


def test_a_config_in_a_checkpoint_is_not_executed(tmp_path: Path, make_runner):
    """Runner.resume executes meta['config'] as a Python file."""
    work_dir = tmp_path / 'run'
    make_runner(work_dir, OneWeight(), Constants()).train()
    witness = tmp_path / 'witness'
    loaded = torch.load(work_dir / 'epoch_1.pth', weights_only=False)
    loaded['meta']['config'] = f'open({str(witness)!r}, "w")'
    Config.fromstring(loaded['meta']['config'], file_format='.py')
    assert witness.exists(), 'the attack would work'
    witness.unlink()
    torch.save(loaded, work_dir / 'epoch_1.pth')
    make_runner(work_dir, OneWeight(), Constants(), epochs=2, resume=True).train()
    assert not witness.exists()


def test_a_broken_or_missing_file_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r'absent.pth is missing: check the path'):
        load_checkpoint_safely(tmp_path / 'absent.pth')
    for broken in (b'', b'hello\n', b'<!DOCTYPE html>\n<html></html>\n'):
        (tmp_path / 'x.pth').write_bytes(broken)
        with pytest.raises(CheckpointError, match='x.pth: it is not a checkpoint: ch') as info:
            load_checkpoint_safely(tmp_path / 'x.pth')
        assert '\n' not in str(info.value)


@pytest.mark.parametrize('kept', [0.9, 0.5, 0.002, -1])
@pytest.mark.parametrize('name', ['x.pth', 'x.safetensors'])
def test_a_file_that_was_cut_is_one_line(tmp_path: Path, name: str, kept: float):
    path = tmp_path / name
    weights = {'weight': torch.ones(1000), 'bias': torch.ones(10)}
    if name == 'x.pth':
        torch.save(weights, path)
    else:
        save_file(weights, path, {'of': 'a test'})
    assert len(load_checkpoint_safely(path)) == 2
    content = path.read_bytes()
    path.write_bytes(content[: -1 if kept == -1 else int(kept * len(content))])
    reason = 'the file is cut, its end is missing' if name == 'x.pth' else 'SafetensorError'
    with pytest.raises(CheckpointError, match=f'{name}: {reason}.*: .*download') as info:
        load_checkpoint_safely(path)
    assert '\n' not in str(info.value)


def download_two(rank: int, folder: Path) -> list[str]:
    """One of three processes: the first two on one machine, the third on another."""
    machine, lines = rank // 2, []

    def download(address: str, path: str, accept: Callable[[Path, str], None]) -> None:
        lines.append('asked')
        if 'absent' in address and machine == 1:
            raise CheckpointError(f'{address}: not found')
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(f'content of {address}')

    weights.download = download
    for name in ('good.pth', 'absent.pth'):
        try:
            disk = str(folder / f'disk_of_{machine}')
            path = weights.download_checkpoint(f'https://x.org/{name}', disk)
            lines.append(Path(path).read_text())
        except CheckpointError as error:
            lines.append(str(error))
    return lines


def test_each_machine_downloads_once_and_all_hear_of_a_failure(tmp_path: Path):
    for rank, lines in enumerate(in_processes(download_two, tmp_path, local_ranks=(0, 1, 0))):
        assert lines.count('asked') == (0 if rank == 1 else 2)
        good, failure = [line for line in lines if line != 'asked']
        assert good == 'content of https://x.org/good.pth'
        assert failure.startswith('https://x.org/absent.pth: not found')


def test_the_allow_list_holds_no_way_to_run_code():
    """Every allowed callable is a plain data type, numpy's rebuilding, or our lookup."""
    allowed = allowed_objects()
    functions = {value.__name__ for value in allowed.values() if not isinstance(value, type)}
    assert functions == {'_reconstruct', 'scalar', '_history_statistic'}
    types = {value for value in allowed.values() if isinstance(value, type)}
    assert HistoryBuffer in types
    for kind in types - {HistoryBuffer, np.ndarray, np.dtype}:
        assert issubclass(kind, np.dtype), kind
        assert not np.issubdtype(kind.type, np.object_)


def test_weights_that_are_not_finite_or_there_twice_are_refused_by_name(tmp_path):
    torch.save(
        {'state_dict': {'a': torch.ones(2), 'b': torch.tensor([1, torch.nan])}}, tmp_path / 'x'
    )
    with pytest.raises(CheckpointError, match='x: the weight b is not finite'):
        read_state_dict(tmp_path / 'x')
    torch.save({'module.a': torch.ones(1), 'a': torch.zeros(1)}, tmp_path / 'x')
    with pytest.raises(CheckpointError, match='x: the weight a is there twice'):
        read_state_dict(tmp_path / 'x')


def test_a_small_file_of_large_weights_is_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Tensor, 'isfinite', Mock(side_effect=AssertionError))
    one = torch.zeros(1000)
    for repeated in ({'a': one[:1].expand(10**9)}, {str(i): one for i in range(9)}):
        torch.save(repeated, tmp_path / 'x')
        with pytest.raises(CheckpointError, match='x: its weights are many times as large'):
            read_state_dict(tmp_path / 'x')
    torch.save({'a': torch.zeros(10**6)}, tmp_path / 'x')
    packed = zipfile.ZipFile(tmp_path / 'y', 'w', zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(tmp_path / 'x') as stored, packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    with pytest.raises(CheckpointError, match='y: its parts are compressed or overlap'):
        read_state_dict(tmp_path / 'y')


@pytest.mark.parametrize(
    'content',
    [
        *(3, [], torch.ones(2), {}, {'state_dict': {'a': 'b'}}, {'state_dict': []}, {'meta': 3}),
        *({'epoch': 3}, {'state_dict': {'a': torch.ones(2)}, 'meta': {'run': {'a': WIDE}}}),
        *({'state_dict': {name: torch.ones(1)}} for name in ('\x1b[2J', 'a\nb', 'x' * 1000, 3)),
    ],
)
def test_files_of_odd_content_are_refused_in_one_line(tmp_path, content):
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match=r'x\.pth: ') as error:
        read_state_dict(tmp_path / 'x.pth')
    assert str(error.value).isprintable() and len(str(error.value)) < 400


def test_wrappers_and_prefixes_are_taken_off(tmp_path):
    state = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).state_dict()
    wrapped = {'module.' + name: value for name, value in state.items()}
    for saved in (state, {'state_dict': wrapped, 'meta': {'epoch': 3}}, {'model': state}):
        torch.save(saved, tmp_path / 'a.pth')
        found = read_state_dict(tmp_path / 'a.pth')
        assert all(torch.equal(found[name], value) for name, value in state.items())
        assert len(found) == len(state)
