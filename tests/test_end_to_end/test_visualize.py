"""tools/visualize.py draws what a trained model predicts on unseen clips."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tools.visualize import main

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_all_pictures_are_drawn(training_run, tmp_path, monkeypatch, capsys):
    run = training_run('drawn')
    options = run.options(epochs=1)
    run.train('configs/csvr_r3d_demo.py', *options)
    config_options = options[options.index('--cfg-options') :]
    command = ['configs/csvr_r3d_demo.py', str(run.work_dir / 'epoch_1.pth')]
    command += ['--out', str(tmp_path)]
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv('MMACT_SSL_DATA', run.environment['MMACT_SSL_DATA'])
    main([*command, *config_options])
    printed = capsys.readouterr().out
    for name in ('poses', 'frames', 'overview'):
        assert str(tmp_path / f'{name}.png') in printed
        picture = cv2.imread(str(tmp_path / f'{name}.png'))
        assert 100 < picture.shape[0] <= 2000 and picture.std() > 10
