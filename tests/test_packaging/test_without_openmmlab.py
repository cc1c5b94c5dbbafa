"""The examples of docs/start/without_openmmlab.md run, and give what ``embed`` gives."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.apis import embed
from tests.helpers.pages import blocks
from tests.helpers.videos import write_video
from tools.publish_model import main

pytest.importorskip('onnx', reason="pip install 'mmact_ssl[onnx]'")
pytest.importorskip('onnxruntime', reason="pip install 'mmact_ssl[onnx]'")
PAGE = 'docs/start/without_openmmlab.md'
TOLERANCE = dict(rtol=0, atol=1e-4)


@pytest.fixture
def desk(labeled_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``my/videos`` and ``my/skeletons/0.npy``."""
    (tmp_path / 'my' / 'videos').mkdir(parents=True)
    shutil.copy(min((labeled_world / 'videos').iterdir()), tmp_path / 'my/videos/a.mp4')
    write_video(tmp_path / 'my/videos/large.mp4', width=800, height=600)
    (tmp_path / 'my' / 'skeletons').mkdir()
    clip = np.random.default_rng(0).normal(size=(1, 40, 20, 3))
    np.save(tmp_path / 'my/skeletons/0.npy', clip)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def publish(name: str) -> None:
    """Run the page's command that writes ``my/<name>-*.onnx``."""
    commands = ''.join(blocks(PAGE, 'bash', '--format onnx')).splitlines()
    (command,) = (line for line in commands if f' my/{name} ' in line)
    main(shlex.split(command)[2:])


@pytest.mark.parametrize(
    ('name', 'source', 'clips'),
    [
        ('csvr_r3d_demo', 'csvr_r3d_demo', ['my/videos/a.mp4', 'my/videos/large.mp4']),
        ('ms2l_gru', 'ms2l-twoview_gru_nwucla', ['my/skeletons/0.npy']),
    ],
)
def test_an_example_gives_the_feature_of_embed(
    desk: Path, name: str, source: str, clips: list[str]
):
    publish(name)
    (example,) = blocks(PAGE, 'python', f'my/{name}-')
    imported = set(re.findall(r'^import (\w+)', example, re.MULTILINE))
    assert imported <= {'glob', 'json', 'av', 'cv2', 'numpy', 'onnxruntime'}
    assert example.count(clips[0]) == 1
    for clip in clips:
        names: dict = {}
        exec(example.replace(clips[0], clip), names)
        expected = embed(source, clip)
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(names['feature'], expected, **TOLERANCE)
