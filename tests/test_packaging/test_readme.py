"""Every command of the README runs as it is written, on a small made world."""

from __future__ import annotations

import csv
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mmact_ssl_cli
from mmact_ssl.apis import pretrain_plan
from mmact_ssl.engine import launch
from mmact_ssl.models import teachers
from mmact_ssl.models.teachers import choice
from tests.helpers.pages import blocks
from tests.test_apis.test_labeler import write_labels, write_recording
from tests.test_packaging.test_inference_page import made_world  # noqa: F401
from tests.test_tools.conftest import gray_teachers  # noqa: F401
from tests.test_tools.test_pretrain import SMALL

ROOT = Path(__file__).parents[2]
BUILD = teachers.build_teacher
LINES = [li for block in blocks('README.md', 'bash') for li in block.splitlines()]
RUN = [words for li in LINES if (words := shlex.split(li, comments=True))[0] == 'mmact-ssl']


@pytest.fixture
def home(made_world, gray_teachers, small_teacher_images, tmp_path, monkeypatch) -> Path:  # noqa: F811
    """The home folder; trainings take four steps on small images, a teacher of poses is gray."""
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setattr('mmact_ssl.apis.labeler.MOTION', None)  # the made model has another network
    monkeypatch.setattr(teachers, 'build_teacher', BUILD)
    shutil.copytree('my/videos', tmp_path / 'clips')
    names = [path.name for path in sorted((tmp_path / 'clips').glob('class*'))]
    with open(tmp_path / 'clips.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('video', 'label'), *((name, name[:6]) for name in names)])
    for folder in ('recordings', 'Downloads'):
        (tmp_path / folder).mkdir()
    truth = [row for n in range(2) for row in write_recording(tmp_path / f'recordings/{n}.mp4', n)]
    write_labels(tmp_path / 'Downloads/labels.csv', truth)
    generator = np.random.default_rng(0)
    np.savez(
        'mine.npz',
        names=np.array([f'clip{number}' for number in range(8)]),
        labels=np.full(8, -1),
        lengths=np.full(8, 9),
        keypoints=generator.normal(size=(72, 20, 3)),
    )
    for key, recipe in pretrain_plan.RECIPES.items():
        monkeypatch.setitem(pretrain_plan.RECIPES, key, recipe._replace(most_steps=4))
    teacher = str(tmp_path / 'gray_pose.py')
    monkeypatch.setattr(choice, 'choose_pose_teacher', lambda frames: (teacher, 'made'))
    read = launch.read_config

    def read_small(config, options=None, *rest, **named):
        small = SMALL if 'dtg_tsm-lite0' in str(config) else []
        return read(config, [*(options or []), *small], *rest, **named)

    monkeypatch.setattr(launch, 'read_config', read_small)
    monkeypatch.setattr(pretrain_plan, 'read_config', read_small)
    return tmp_path


@pytest.mark.slow
def test_each_command_runs_as_it_is_written(home: Path, capsys: pytest.CaptureFixture[str]):
    assert len(RUN) == 6
    for _, *words in RUN:
        mmact_ssl_cli.main(words)
    shown = capsys.readouterr().out
    assert 'right: about' in shown and Path('work_dirs/pretrain_clips/comparison.txt').is_file()
    assert Path('labels_recordings/label.html').is_file()
    for name in ('clips', 'mine'):
        assert Path(f'work_dirs/pretrain_{name}/gallery/index.html').is_file()
        assert len([*Path(f'work_dirs/pretrain_{name}').glob(f'{name}-*.safetensors')]) == 1


@pytest.mark.parametrize('target', ['install', 'demo'])
def test_make_knows_the_targets(target: str):
    assert any(line.startswith(f'make {target}') for line in LINES)
    subprocess.run(['make', '-n', target], cwd=ROOT, check=True, capture_output=True)
