"""The examples of docs/extend/without_openmmlab.md run, and give what ``embed`` gives."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.apis import embed
from tests.helpers.pages import blocks
from tests.helpers.videos import write_video
from tools.publish_model import main

pytest.importorskip('onnx', reason="pip install 'mmact_ssl[onnx]'")
pytest.importorskip('onnxruntime', reason="pip install 'mmact_ssl[onnx]'")
PAGE = 'docs/extend/without_openmmlab.md'
TOLERANCE = dict(rtol=0, atol=1e-4)


@pytest.fixture
def desk(labeled_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``my/videos`` and ``my/skeletons/0.npy``."""
    (tmp_path / 'my' / 'videos').mkdir(parents=True)
    shutil.copy(min((labeled_world / 'videos').iterdir()), tmp_path / 'my/videos/a.mp4')
    write_video(tmp_path / 'my/videos/large.mp4', width=800, height=600)
    tags = {'x264-params': 'colormatrix=bt709:fullrange=on'}
    shape = dict(rotation=90, pixels=Fraction(64, 45))
    write_video(tmp_path / 'my/videos/tags.mp4', options=tags, **shape)
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
        ('csvr_r3d_demo', 'csvr_r3d_demo', ['videos/a.mp4', 'videos/large.mp4', 'videos/tags.mp4']),
        ('ms2l_gru', 'ms2l-twoview_gru_nwucla', ['skeletons/0.npy']),
    ],
)
def test_an_example_gives_the_feature_of_embed(
    desk: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, clips: list[str]
):
    publish(name)
    monkeypatch.chdir(desk / 'my')
    (example,) = blocks(PAGE, 'python', f'{name}-')
    assert example.count(clips[0]) == 1
    for clip in clips:
        code = f"{example.replace(clips[0], clip)}\nnp.save('feature.npy', feature)\n"
        code += "import sys\nassert not {'torch', 'mmengine', 'mmact_ssl'} & sys.modules.keys()\n"
        subprocess.run([sys.executable, '-c', f'import numpy as np\n{code}'], check=True)
        expected = embed(source, clip)
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(np.load('feature.npy'), expected, **TOLERANCE)
