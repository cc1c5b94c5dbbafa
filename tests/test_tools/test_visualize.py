"""The program that draws: its subcommands, and mistakes in one line.

The pictures of a trained model are made where their data are, in ``tests/test_end_to_end``.
"""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tools.visualize import main


def test_what_is_missing_is_said_in_one_line(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text('model = dict()\n')
    with pytest.raises(SystemExit, match=r'^error: .*config\.py: has no test_dataloader'):
        main([str(config), 'nowhere.pth'])


def test_a_misspelt_command_is_answered_with_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(['galery', 'MODEL', 'my/videos', '--out', 'gallery'])
    error = capsys.readouterr().err
    assert "invalid choice: 'galery'" in error and 'embedding' in error


@pytest.mark.parametrize('name', ['published.pth', 'published.safetensors'])
def test_a_checkpoint_of_another_model_is_one_short_line(tmp_path, name):
    weights = {f'layer{i}.weight': torch.ones(2) for i in range(1000)}
    (save_file if name.endswith('safetensors') else torch.save)(weights, tmp_path / name)
    complaint = rf'^error: .*{name}: \d+ weights do not fit .*: give the config'
    with pytest.raises(SystemExit, match=complaint) as info:
        main(['configs/csvr_r3d_demo.py', str(tmp_path / name)])
    assert len(str(info.value)) < 700
