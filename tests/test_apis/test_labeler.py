"""Labels for all moments of recordings, or for all clips, from a few."""

from __future__ import annotations

import csv
from pathlib import Path
from unittest.mock import Mock

import av
import numpy as np
import pytest

from mmact_ssl.apis.labeler import label
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import ConfigError, DataError
from tests.helpers.students import skeleton_model, video_model  # noqa: F401

COLORS, SECONDS, RATE = ('blue', 'green', 'red'), 4, 10


def write_recording(path: Path, seed: int) -> list[tuple[str, float, float, str]]:
    """A square of one color after the other, each for four seconds; returns what is when."""
    rng = np.random.default_rng(seed)
    colors, y = [*rng.permutation(3), *rng.permutation(3)], rng.integers(0, 35)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 80, 64, 'yuv420p'
        for step, color in enumerate(np.repeat(colors, SECONDS * RATE)):
            frame = np.full((64, 80, 3), 30, np.uint8)
            frame[y : y + 24, step % 56 : step % 56 + 24, color] = 250
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='bgr24')))
        container.mux(stream.encode())
    times = [(float(SECONDS * part), float(SECONDS * (part + 1))) for part in range(6)]
    return [(path.name, *time, COLORS[color]) for time, color in zip(times, colors)]


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Path, list]:
    (folder := tmp_path / 'my recordings').mkdir()
    truth = [row for n in range(3) for row in write_recording(folder / f'r#{n}.mp4', n)]
    return folder, truth


def write_labels(path: Path, rows: list) -> Path:
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows([['video', 'start', 'stop', 'label'], *rows])
    return path


def test_videos_are_read_beside_their_motion(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(Encoder, 'load', load := Mock(side_effect=DataError('enough')))
    with pytest.raises(DataError, match='enough'):
        label(recordings[0], folder=tmp_path)
    load.assert_called_with('dtg_tsm-lite0_jhmdb', 'tsm-lite0-motion')


def test_every_moment_gets_a_label(recordings, video_model: Encoder, tmp_path, monkeypatch):  # noqa: F811
    folder, truth = recordings
    first = label(folder, model=video_model, folder=tmp_path)
    assert not first.classes and len(first.next) == 20
    other = Encoder.load(video_model.student.path, 'r3d18-small,side=32,frames=2')
    other = label(folder, model=other, folder=tmp_path)
    assert not np.array_equal(other.windows.features, first.windows.features)

    monkeypatch.setattr(Encoder, 'features', pytest.fail)  # all features are there
    given = [(name, start + 1, start + 3, color) for name, start, _, color in truth[:9]]
    table = write_labels(tmp_path / 'labels.csv', given)
    found = label(folder, table, video_model, folder=tmp_path)
    assert found.classes == COLORS
    np.testing.assert_array_equal(found.windows.features, first.windows.features)
    found.write(tmp_path / 'out')
    right = []
    for name, start, stop, color in truth:
        for moment in np.arange(start + 0.25, stop, 0.5):
            segment = [s for s in found.segments if s.video == name and s.start <= moment < s.stop]
            right.append(segment[0].label == color)
    assert np.mean(right) > 0.85  # chance 0.33; the rest are moments between two colors
    rows = [*csv.DictReader((tmp_path / 'out' / 'predictions.csv').read_text().splitlines())]
    assert len(rows) == len(found.windows.video) == 3 * 23
    assert rows[1]['label'] == truth[0][3] and float(rows[1]['probability']) == 1
    again = label(folder, tmp_path / 'out' / 'labels.csv', video_model, folder=tmp_path)
    np.testing.assert_array_equal(again.given, found.given)
    assert not {*again.next.tolist()} & {*np.flatnonzero(again.given >= 0).tolist()}
    monkeypatch.chdir(folder)
    for source in (folder / 'r#1.mp4', 'r#1.mp4'):  # its name is the same
        assert label(source, None, video_model, folder=tmp_path).windows.videos == ('r#1.mp4',)


def test_mistakes_end_before_any_work(recordings, video_model: Encoder, tmp_path, monkeypatch):  # noqa: F811
    folder, truth = recordings
    monkeypatch.setattr(Encoder, 'features', pytest.fail)

    def refused(rows: list, message: str, error: type = DataError, **options) -> None:
        table = write_labels(tmp_path / 'labels.csv', rows)
        with pytest.raises(error, match=message):
            label(folder, table, video_model, folder=tmp_path, **options)

    for options in (dict(window=2.0), dict(window=0)):
        refused([('r#0.mp4', 23, 26, 'red')], 'r#0.mp4 ends at 24.00 s', **options)
    refused([('r#0.mp4', 0, 2, '')], 'labels.csv: has no labels')
    refused(truth, 'a moment, or a clip as a whole, has one class', window=0)
    refused(truth, 'stride=1.0 is between windows', ConfigError, window=0, stride=1.0)


def test_labels_of_files_that_cannot_be_read_are_kept(recordings, video_model: Encoder, tmp_path):  # noqa: F811
    folder, truth = recordings
    (folder / 'torn.mp4').write_bytes(b'torn')
    torn, table = ('torn.mp4', 3.0, 4.0, 'red'), tmp_path / 'labels.csv'
    label(folder, write_labels(table, [torn, *truth]), video_model, folder=tmp_path).write(tmp_path)
    assert 'torn.mp4,3.0,4.0,red' in table.read_text()
    assert 'torn.mp4' not in (tmp_path / 'predictions.csv').read_text()
    write_labels(table, [torn, ('r#0.mp4', 7, 9, 'blue')])
    with pytest.raises(DataError, match="all labels are 'blue'"):
        label(folder, table, video_model, folder=tmp_path)


def test_clips_are_labeled_as_a_whole(labeled_world, video_model: Encoder, tmp_path):  # noqa: F811
    names = sorted(path.name for path in (labeled_world / 'videos').iterdir())
    table = tmp_path / 'labels.csv'
    table.write_text('video,label\n' + ''.join(f'{n},{n[:6]}\n' for n in names if 's0' in n))
    found = label(labeled_world / 'videos', table, video_model, folder=tmp_path)
    assert not found.windows.is_cut and len(found.windows.video) == len(names)
    best = [found.classes[k] for k in found.probabilities.argmax(axis=1)]
    assert np.mean([k == name[:6] for k, name in zip(best, found.windows.videos)]) > 0.8


def test_skeletons_are_labeled_from_folders(skeleton_model: Encoder, tmp_path):  # noqa: F811
    rng, names = np.random.default_rng(0), ['sit/a', 'sit/b', 'wave/a', 'wave/b', 'c', 'd']
    for name in names:
        path = tmp_path / 'clips' / f'{name}.npy'
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.normal(size=(1, 9, 20, 3)))
    found = label(tmp_path / 'clips', 'folders', skeleton_model, folder=tmp_path)
    assert found.classes == ('sit', 'wave')
    assert found.windows.videos == ('c.npy', 'd.npy', *(f'{name}.npy' for name in names[:4]))
    assert found.given.tolist() == [-1, -1, 0, 0, 1, 1]
    with pytest.raises(ConfigError, match='skeletons have no seconds'):
        label(tmp_path / 'clips', None, skeleton_model, window=2, folder=tmp_path)
