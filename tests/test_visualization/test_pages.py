"""Pages about one's own clips: what they hold, and a click through them in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from mmact_ssl.apis import load_model
from mmact_ssl.apis.clips import find_clips
from mmact_ssl.apis.feature_inferencer import embed
from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.visualization.pages import FRAMES, SIDE, clip_frames, project
from tests.helpers.processes import context
from tools.visualize import main

CLASSES = ('red <b>', 'green', 'blue')
CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'google-chrome', 'chrome'))), None)


@pytest.fixture
def clips(labeled_world, tmp_path) -> Path:
    """A folder a class, one of a name that no page may take for its own, and one broken file."""
    root = tmp_path / 'my clips'
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for video in sorted((labeled_world / 'videos').glob(f'class{label}_*')):
            shutil.copy(video, root / name / video.name)
    (root / 'green' / 'torn.mp4').write_bytes(b'torn')
    return root


@pytest.fixture
def model(publish, linear_config, student_checkpoint, tmp_path) -> str:
    return str(publish(student_checkpoint, tmp_path))


def read_data(folder: Path, kind: str) -> dict:
    text = (folder / f'{kind}-data.js').read_text()
    return json.loads(re.fullmatch(r'const DATA = (.*);\n', text, re.DOTALL)[1])


def click(page: Path, script: str) -> dict:
    """Report of a script that clicks in a page, and errors that the page threw."""
    if CHROMIUM is None:
        pytest.skip('no Chromium here to click in')
    report = """
    <pre id="report"></pre><script>
    const thrown = [];
    addEventListener('error', (event) => thrown.push(event.message || event.target.src), true);
    addEventListener('load', async () => {
      const seen = { thrown };
      try { await (async () => { SCRIPT })(); } catch (error) { thrown.push(String(error)); }
      document.querySelector('#report').textContent = encodeURIComponent(JSON.stringify(seen));
    });
    </script>""".replace('SCRIPT', script)
    copy = page.with_name(f'clicked-{page.name}')
    copy.write_text(page.read_text().replace('<header>', f'{report}<header>'))
    command = [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom']
    options = ['--virtual-time-budget=5000', '--window-size=1200,800', copy.as_uri()]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=600)
    found = re.search(r'<pre id="report">([^<]+)</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(unquote(found[1]))


def test_the_gallery_shows_each_clip_with_its_neighbors(model, clips, tmp_path, capsys):
    out = tmp_path / 'page'
    main(['gallery', model, str(clips), '--out', str(out)])
    printed = capsys.readouterr()
    assert printed.err.count('green/torn.mp4: ') == 1
    assert printed.out.split() == [f'{out}/index.html']
    data = read_data(out, 'gallery')
    names = sorted(f'{p.parent.name}/{p.name}' for p in clips.glob('*/class*'))
    assert [clip['name'] for clip in data['clips']] == names
    features = normalize(embed(load_model(model), [str(clips / name) for name in names]))
    cosines = features @ features.T
    np.fill_diagonal(cosines, -2)
    for row, pairs in enumerate(data['neighbors']):
        others, shown = zip(*pairs)
        assert row not in others and len(set(others)) == 12
        np.testing.assert_allclose(shown, cosines[row, list(others)], atol=1e-3)
        np.testing.assert_allclose(shown, sorted(cosines[row])[:-13:-1], atol=1e-3)
    thumbs = [out / clip['thumb'] for clip in data['clips']]
    with Image.open(thumbs[0]) as picture:
        assert picture.n_frames == FRAMES and min(picture.size) == SIDE
    written = thumbs[0].stat().st_mtime_ns
    main(['gallery', model, str(clips), '--out', str(out)])
    assert thumbs[0].stat().st_mtime_ns == written, 'a second call draws nothing again'
    data['texts'] = [dict(text='</script>somebody waves', hits=[[2, 0.5], [0, 0.25]])]
    (out / 'gallery-data.js').write_text(f'const DATA = {json.dumps(data)};\n')
    seen = click(
        out / 'index.html',
        """
        const shown = () => [...document.querySelectorAll('main figure:not([hidden])')];
        seen.all = shown().length;
        seen.bold = document.querySelectorAll('figcaption b').length;
        shown()[6].click();
        seen.found = [...document.querySelectorAll('#found figure')].map((f) => f.dataset.row);
        const button = document.querySelector('#texts button');
        seen.text = button.textContent;
        button.click();
        seen.hits = [...document.querySelectorAll('#found figcaption')].map((c) => c.textContent);
        const field = document.querySelector('input');
        field.value = 'CLASS1 green';
        field.dispatchEvent(new Event('input'));
        seen.count = document.querySelector('#count').textContent;
        """,
    )
    nearest = [str(row) for row, _ in data['neighbors'][6]]
    assert seen['thrown'] == [] and seen['all'] == 18 and seen['bold'] == 0
    assert seen['found'] == nearest
    assert seen['text'] == '“</script>somebody waves”'
    assert seen['hits'] == [f'0.50 {names[2]}', f'0.25 {names[0]}']
    assert seen['count'] == '6 of 18 clips'


def test_a_page_that_is_written_again_shows_the_files_as_they_are(model, clips, tmp_path, capsys):
    out, index = tmp_path / 'page', tmp_path / 'mine.index'
    words = ['gallery', model, str(clips), '--out', str(out), '--index', str(index)]
    main(words)
    before = read_data(out, 'gallery')
    first, gone, *_ = sorted((clips / 'blue').iterdir())
    shutil.copy(sorted((clips / 'green').glob('class*'))[0], first)
    gone.unlink()
    main(words)
    after = read_data(out, 'gallery')
    thumbs = [{c['name']: c['thumb'] for c in data['clips']} for data in (before, after)]
    assert thumbs[0].keys() - thumbs[1].keys() == {f'blue/{gone.name}'}
    changed = {name for name in thumbs[1] if thumbs[0][name] != thumbs[1][name]}
    assert changed == {f'blue/{first.name}'}
    names = [clip['name'] for clip in after['clips']]
    row, cosine = after['neighbors'][names.index(f'blue/{first.name}')][0]
    assert names[row].startswith('green/') and cosine == pytest.approx(1, abs=1e-4)
    copies = [(out / thumbs[1][name]).read_bytes() for name in (names[row], f'blue/{first.name}')]
    assert copies[0] == copies[1]
    assert not (out / 'clips.index').exists()
    search = RetrievalInferencer(model, index, show_progress=False)
    assert search.add(clips)['known'] == 17, 'one index serves the page and a search'


def test_the_embedding_is_a_map_with_a_lasso(model, clips, tmp_path):
    out = tmp_path / 'page'
    main(['embedding', model, str(clips), '--out', str(out)])
    data = read_data(out, 'embedding')
    assert data['groups'] == sorted(CLASSES)
    for clip in data['clips']:
        assert data['groups'][clip['group']] == clip['name'].split('/')[0]
    points = np.array([[clip['x'], clip['y']] for clip in data['clips']])
    assert points.min(axis=0).tolist() == [0, 0] and points.max(axis=0).tolist() == [1, 1]
    seen = click(
        out / 'embedding.html',
        """
        const dots = [...document.querySelectorAll('circle')];
        seen.dots = dots.length;
        seen.colors = new Set(dots.map((dot) => dot.getAttribute('fill'))).size;
        const svg = document.querySelector('svg');
        const send = (type, x, y) => {
          const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
          const place = { clientX: at.x, clientY: at.y, bubbles: true };
          svg.dispatchEvent(new PointerEvent(type, place));
        };
        // The left half.
        send('pointerdown', 0, 0);
        for (const [x, y] of [[500, 0], [500, 1000], [0, 1000]]) send('pointermove', x, y);
        send('pointerup', 0, 1000);
        seen.list = document.querySelector('textarea').value;
        seen.saved = await (await fetch(document.querySelector('#save').href)).text();
        """,
    )
    left = [clip['name'] for clip in data['clips'] if clip['x'] < 0.5]
    assert seen['thrown'] == [] and seen['dots'] == 18 and seen['colors'] == 3
    assert 0 < len(left) < 18 and seen['list'].splitlines() == left
    assert seen['saved'] == seen['list']


def test_a_map_keeps_what_is_near_together():
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(8)[:3], 12, axis=0)
    points = project(normalize(centers + rng.normal(scale=0.02, size=centers.shape)))
    parts = points.reshape(3, 12, 2)
    inner = np.linalg.norm(parts - parts.mean(axis=1, keepdims=True), axis=2).max()
    between = np.linalg.norm(parts.mean(axis=1)[:, None] - parts.mean(axis=1), axis=2)
    assert inner < between[between > 0].min() / 2
    with pytest.raises(DataError, match='4 clips: a map needs at least 5'):
        project(np.eye(4))


@pytest.mark.parametrize('distinct', [1, 2, 4, 5, 9])
def test_equal_clips_are_one_point_of_a_map(distinct):
    """In a process of its own: t-SNE of rows that are all equal ended it."""
    which = np.arange(30) % distinct
    rows = normalize(np.random.default_rng(0).normal(size=(distinct, 8)).astype(np.float32))
    with ProcessPoolExecutor(1, context()) as pool:
        points = pool.submit(project, rows[which]).result()
    assert points.shape == (30, 2) and np.isfinite(points).all()
    assert len(np.unique(points, axis=0)) == distinct
    for number in range(distinct):
        assert len(np.unique(points[which == number], axis=0)) == 1


def test_a_skeleton_is_drawn(skeleton_folder):
    frames = clip_frames(find_clips(skeleton_folder, 'skeleton', 'kinect20')[0])
    assert len(frames) == FRAMES and frames[0].shape == (SIDE, SIDE, 3)
    assert min(frame.min() for frame in frames) < 150, 'limbs are dark'
    assert np.any(frames[0] != frames[5])
