"""The program that draws: its subcommands, and mistakes in one line.

The pictures of a trained model and of sentences are made where their data are, in
``tests/test_end_to_end`` and ``tests/test_visualization/test_text_gallery.py``.
"""

from __future__ import annotations

import json

import cv2
import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.engine.hooks.gradient_conflict_hook import FILE_NAME
from tools.visualize import main


def test_conflicts_are_drawn_into_each_work_dir(tmp_path, capsys):
    folders = [tmp_path / name for name in ('one', 'two')]
    for folder in folders:
        folder.mkdir()
        records = [
            dict(epoch=1, step=step, norms=dict(a=1.0, b=2.0), cosines={'a~b': -0.25})
            for step in (1, 11, 21)
        ]
        lines = [json.dumps(record) for record in records]
        (folder / FILE_NAME).write_text('\n'.join(lines) + '\n')
    main(['conflict', *map(str, folders)])
    pictures = [str(folder / 'conflict.png') for folder in folders]
    assert capsys.readouterr().out.split() == pictures
    for picture in pictures:
        assert cv2.imread(picture).std() > 10


def test_what_is_missing_is_said_in_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r'^error: .*GradientConflictHook'):
        main(['conflict', str(tmp_path)])
    config = tmp_path / 'config.py'
    config.write_text('model = dict()\n')
    with pytest.raises(SystemExit, match=r'^error: .*config\.py: has no test_dataloader'):
        main([str(config), 'nowhere.pth'])


@pytest.mark.parametrize('name', ['published.pth', 'published.safetensors'])
def test_a_checkpoint_of_another_model_is_one_short_line(tmp_path, name):
    weights = {f'layer{i}.weight': torch.ones(2) for i in range(1000)}
    (save_file if name.endswith('safetensors') else torch.save)(weights, tmp_path / name)
    complaint = rf'^error: .*{name}: \d+ weights do not fit .*: give the config'
    with pytest.raises(SystemExit, match=complaint) as info:
        main(['configs/csvr_r3d_demo.py', str(tmp_path / name)])
    assert len(str(info.value)) < 700
