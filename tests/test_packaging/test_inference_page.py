"""The examples of docs/start/search.md and of the README run on a small made world."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.apis.publish import text_part
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl_cli import main
from tests.helpers.pages import blocks
from tests.helpers.students import Words, prompt_head, write_student


@pytest.fixture
def made_world(
    publish, student_checkpoint, skeleton_encoder, labeled_world, tmp_path, monkeypatch
) -> Path:
    """A folder with ``my/videos``, ``my/skeletons`` and a pre-training, where names find models."""
    root = tmp_path / 'desk'
    videos = sorted((labeled_world / 'videos').iterdir())
    shutil.copytree(videos[0].parent, root / 'my' / 'videos')
    shutil.copy(videos[0], root / 'my' / 'videos' / 'a.mp4')
    (root / 'my' / 'skeletons').mkdir()
    for number in range(4):
        clip = np.random.default_rng(number).normal(size=(1, 9, 20, 3))
        np.save(root / 'my' / 'skeletons' / f'{number}.npy', clip)
    checkpoint = tmp_path / 'epoch_120.pth'
    write_student(checkpoint, skeleton_encoder, prompts=prompt_head())
    monkeypatch.setattr('mmact_ssl.models.teachers.build_teacher', lambda config: Words())
    text = text_part(StudentFile.read(checkpoint), 'minilm')
    of_videos = publish(student_checkpoint, tmp_path)
    models = {
        'csvr_r3d_demo': of_videos,
        'dtg_tsm-lite0_jhmdb': of_videos,
        'c2vl_gru_nwucla': publish(checkpoint, tmp_path, 'words', text),
    }
    monkeypatch.setattr('mmact_ssl.io.student_file.find_published', lambda name: str(models[name]))
    monkeypatch.chdir(root)
    return root


def test_each_example_runs(made_world, capsys):
    examples = blocks('docs/start/search.md', 'python', 'mmact_ssl.apis')
    assert len(examples) == 3
    for example in examples:
        exec(example, {})
    stored = np.load('features.npz', allow_pickle=False)
    assert len(stored['names']) == 3 * 19, 'three windows of a clip of two seconds'
    printed = capsys.readouterr().out
    assert '1.00' in printed and 'my/videos/a.mp4' in printed and "'similarity':" in printed
    commands = blocks('docs/start/search.md', 'bash', 'mmact-ssl')
    lines = ''.join(commands).replace('\\\n', ' ').splitlines()
    assert len(lines) == 5
    for line in lines:
        program, *words = shlex.split(line)
        assert program == 'mmact-ssl'
        main(words)
    for page in ('gallery/index.html', 'gallery/embedding.html', 'moves/index.html'):
        assert Path(page).is_file()
    assert 'someone steps forward' in Path('moves/gallery-data.js').read_text()


def test_the_lines_of_the_readme_run(made_world, capsys):
    (example,) = blocks('README.md', 'python', 'mmact_ssl.apis')
    names: dict = {}
    exec(example, names)
    assert names['features'].shape == (19, 128)
    assert "'similarity'" in capsys.readouterr().out
    first = names['search']('my/videos/a.mp4', top=5)['hits'][0][0]
    assert first['name'].endswith('my/videos/a.mp4'), 'the query itself'
