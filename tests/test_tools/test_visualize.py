"""The program that draws: its subcommands, pictures of a model, and mistakes in one line."""

from __future__ import annotations

import re
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from safetensors.torch import save_file

from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.five_methods import FRAMES, METHODS, make_model, options_of
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


@pytest.mark.parametrize(
    ('method', 'names'), [('csvr', ('poses', 'frames', 'overview')), ('hcpg', ('parts',))]
)
def test_predictions_of_unseen_clips_are_drawn(
    method, names, made_data, tmp_path, monkeypatch, capsys
):
    """In one of them no part is found."""
    data, weights = tmp_path / 'data', tmp_path / 'epoch.pth'
    shutil.copytree(made_data, data)
    meta = TargetMeta('map', 'demo_parts', 'made', 'made')
    with TargetWriter(data / 'demo/targets/demo_parsing_teacher.lmdb', meta) as writer:
        writer.put('0.mp4', np.eye(10, dtype=np.float32)[0][None, :, None, None].repeat(FRAMES, 0))
    monkeypatch.setenv('MMACT_SSL_DATA', str(data))
    init_default_scope('mmact_ssl')
    torch.save(dict(state_dict=make_model(method, 2)[0].state_dict()), weights)
    words = [METHODS[method][0], str(weights), '--out', str(tmp_path), '--cfg-options']
    main([*words, *options_of(method), 'test_dataloader.num_workers=0'])
    told = capsys.readouterr().out.splitlines()
    assert {line for line in told if line.endswith('.png')} == {
        str(tmp_path / f'{name}.png') for name in names
    }
    if method == 'hcpg':
        assert [
            li for li in told if re.fullmatch(r"mean IoU with the teacher's parts: 0\.\d\d", li)
        ]
    for name in names:
        picture = cv2.imread(str(tmp_path / f'{name}.png'))
        assert 100 < picture.shape[0] <= 2000 and picture.std() > 10
