"""The program ``label``: from recordings to a page, labels and tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mmact_ssl_cli import load_tool
from tests.helpers.students import video_model  # noqa: F401
from tests.test_apis.test_labeler import recordings, write_labels  # noqa: F401

NAME = 'r#0 <b>&"\'.mp4'


@pytest.fixture
def label_tool(recordings, publish, student_checkpoint, tmp_path, monkeypatch):  # noqa: F811
    """A function that runs the program on the recordings, and returns the data of its page."""
    folder, truth = recordings
    (folder / 'r#0.mp4').rename(folder / NAME)
    model = str(publish(student_checkpoint, tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> dict:
        load_tool('label').main([str(folder), '--model', model, '--out', 'out', *words])
        text = Path('out/label-data.js').read_text()
        return json.loads(re.fullmatch(r'const DATA = (.*);\n', text, re.DOTALL)[1])

    return run, [(NAME if name == 'r#0.mp4' else name, *rest) for name, *rest in truth]


def test_from_recordings_to_labels(label_tool, tmp_path, capsys):
    run, truth = label_tool
    data = run()
    assert capsys.readouterr().out.splitlines() == [
        'no labels yet: 20 moments to label first are in label.html',
        str(tmp_path / 'out' / 'label.html'),
    ]
    assert data['classes'] == [] and len(data['next']) == 20
    sources = {video['name']: video['src'] for video in data['videos']}
    assert sources[NAME] == '../my%20recordings/r%230%20%3Cb%3E%26%22%27.mp4'

    table = write_labels(tmp_path / 'labels.csv', [(n, a, b, c) for n, a, b, c in truth[:12]])
    data = run('--labels', str(table))
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r'12 labels; labeled windows: blue \d+, green \d+, red \d+', lines[0])
    assert re.fullmatch(r'right: about \d+ % \(\d+ to \d+\), from \d+ .* in 2 files .*', lines[1])
    assert data['classes'] == ['blue', 'green', 'red'] and len(data['labels']) == 12
    assert run()['labels'] == data['labels'], 'labels.csv of the folder is taken'
    assert len([*Path('out/subtitles').iterdir()]) == len([*Path('out/boris').iterdir()]) == 3
    (tmp_path / 'my recordings' / 'r#2.mp4').unlink()
    run()
    assert len([*Path('out/subtitles').iterdir()]) == len([*Path('out/boris').iterdir()]) == 2


SCRIPT = """
const press = (key) =>
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
seen.bold = document.querySelectorAll('b').length;
seen.source = document.querySelector('#player video').getAttribute('src');
$('#new input').value = 'a, "new" class'; $('#new').requestSubmit();
press('4'); press('1'); press('ArrowDown'); press('2'); press('ArrowUp'); press('0');
seen.table = table();
seen.kept = JSON.parse(localStorage.getItem(KEY)).classes;
[DATA.rows[60].probability, DATA.rows[65].probability] = [0.1, 0.2];
$('#order').value = 'low'; $('#order').focus(); $('#order').dispatchEvent(new Event('change'));
seen.focus = document.activeElement.tagName;
press('1');
seen.following = chosen.number;
const top = $('#classes').offsetTop; $('#player').replaceChildren();
seen.moved = top - $('#classes').offsetTop;
"""


def test_the_page_is_used_by_keyboard_alone(label_tool, tmp_path):
    from tests.test_visualization.test_pages import click

    run, truth = label_tool
    run('--labels', str(write_labels(tmp_path / 'labels.csv', truth[:12])))
    seen = click(Path('out/label.html').absolute(), SCRIPT)
    assert seen['thrown'] == [] and seen['bold'] == 0
    assert seen['following'] == 65, 'the row after the labeled one'
    assert seen['focus'] == 'BODY' and seen['moved'] == 0, 'keys are for rows, buttons stay'
    assert '#t=' in seen['source'] and seen['kept'] == ['a, "new" class']
    (tmp_path / 'saved.csv').write_text(seen['table'])
    data = run('--labels', str(tmp_path / 'saved.csv'))
    assert data['classes'] == ['a, "new" class', 'blue', 'green', 'red']
    assert len(data['labels']) == 14, 'the third one is cleared again'

    Path('out/labels.csv').unlink()
    run()
    for first in (0, 1):  # every other window, and then those between them, which overlap
        script = f"for (let n = {first}; n < 23; n += 2) state.labels[n] = 'abc'[n % 3];"
        seen = click(Path('out/label.html').absolute(), f'{script} seen.table = table();')
        (tmp_path / 'saved.csv').write_text(seen['table'])
        data = run('--labels', str(tmp_path / 'saved.csv'))
    assert [row['given'] for row in data['rows'][:23]] == ['abc'[row % 3] for row in range(23)]

    (tmp_path / 'clips.csv').write_text('video,label\nr#1.mp4,a\nr#2.mp4,b\n')
    run('--labels', 'clips.csv', '--window', '0')
    script = "state.labels[1] = 'b'; seen.table = table();"
    seen = click(Path('out/label.html').absolute(), script)
    assert seen['table'].splitlines()[1:] == ['"r#2.mp4","b",""', '"r#1.mp4","b",""']
