"""The program ``compare``: from a folder and its labels to a table."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mmact_ssl.encoders.encoder import Encoder
from tests.test_tools.test_pretrain import write_skeletons
from tools.compare import main

START = 'r3d18-small,side=32,frames=2'


@pytest.fixture
def desk(labeled_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with videos in class folders, one of them broken, and with skeletons."""
    monkeypatch.chdir(tmp_path)
    for video in sorted((labeled_world / 'videos').iterdir()):
        place = tmp_path / 'my clips' / video.name[:6] / video.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, place)
    (place.parent / 'torn.mp4').write_bytes(b'torn')
    write_skeletons(tmp_path / 'moves.npz')
    return tmp_path


@pytest.mark.usefixtures('desk')
def test_from_class_folders_or_a_table_to_the_same_table(capsys, monkeypatch):
    main(['my clips', '--labels', 'folders', START, f'{START[:-1]}1'])
    printed = capsys.readouterr().out
    assert 'torn.mp4' in printed and 'Top-1 in % of 18 test clips' in printed
    monkeypatch.setattr(Encoder, 'features', pytest.fail)
    videos = sorted(Path('my clips').rglob('class*.mp4'))
    rows = [f'{path.parent.name}/{path.name},{path.parent.name}\n' for path in videos]
    Path('labels.csv').write_text('video,label\n' + ''.join(rows))
    main(['my clips', START, f'{START[:-1]}1', '--labels', 'labels.csv'])
    table = printed[printed.index('┏') :]
    assert capsys.readouterr().out.endswith(table), 'nothing is embedded again'


@pytest.mark.usefixtures('desk')
def test_skeletons_hold_their_labels(capsys):
    main(['moves.npz', 'gru-streams', 'skeleton_general', '--coordinates', 'xyz'])
    printed = capsys.readouterr().out
    assert 'Top-1 in % of 12 test clips' in printed and 'CC BY-NC 4.0' in printed


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['my clips', START], 'my clips: give --labels, a table or the word folders'),
        (['my clips', '--labels', 'folders', 'tsm-lite'], "there is no model 'tsm-lite'"),
        (['my clips', '--labels', 'folders', START, 'gru'], 'gru does not read what'),
    ],
)
def test_mistakes_are_one_line_before_any_work(desk: Path, words, message):
    before = sorted(desk.rglob('*'))
    with pytest.raises(SystemExit) as end:
        main(words)
    assert message in str(end.value) and '\n' not in str(end.value)
    assert sorted(desk.rglob('*')) == before
