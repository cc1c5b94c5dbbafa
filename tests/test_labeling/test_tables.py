"""Tables of labels are read as their maker meant them, or refused in one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import DataError
from mmact_ssl.labeling.outputs import Segment, segment_files, write_files
from mmact_ssl.labeling.tables import Label, check_labels, label_table, read_label_table

VIDEOS = ['a.mp4', 'monday/b.mp4', 'tuesday/b.mp4']


def read(tmp_path: Path, text: str) -> list[tuple]:
    (tmp_path / 'labels.csv').write_text(text)
    return [label[:5] for label in read_label_table(tmp_path / 'labels.csv', VIDEOS)]


def test_clips_and_moments_are_read(tmp_path):
    assert read(tmp_path, 'video,label\na.mp4,run\nmonday/b.mp4,sit\n') == [
        ('a.mp4', 0.0, math.inf, 'run', ''),
        ('monday/b.mp4', 0.0, math.inf, 'sit', ''),
    ]
    text = '\ufeffvideo;start;stop;label;group\r\na.mp4;1:05.5;0:01:07;run;anna\r\na.mp4;9;10;;\r\n'
    assert read(tmp_path, text) == [('a.mp4', 65.5, 67.0, 'run', 'anna')]
    text = 'video;start;stop;label\r\na.mp4;1,5;2;run\r\na.mp4;;;sit\r\n;;;\r\n'
    assert [row[1:3] for row in read(tmp_path, text)] == [(1.5, 2.0), (0.0, math.inf)]


BORIS = 'Observation id\tSubject\tTime offset (s)\tBehavior\tModifier #1\tBehavior type\t'


def test_exports_of_boris_are_read(tmp_path):
    events = 'run a START 11', 'run b START 12', 'run a STOP 13', 'sit - POINT 15', 'run b STOP 14'
    lines = ['\t'.join(['1', 'x', '9', *e.split(), '/home/other/tuesday/b.mp4']) for e in events]
    text = '\n'.join([f'{BORIS}Time\tMedia file name', *lines])
    assert read(tmp_path, text) == [
        ('tuesday/b.mp4', 2.0, 4.0, 'run', ''),
        ('tuesday/b.mp4', 6.0, 6.0, 'sit', ''),
        ('tuesday/b.mp4', 3.0, 5.0, 'run', ''),
    ]
    head = f'{BORIS}Start (s)\tStop (s)\tSource\n'
    text = f'{head}1\tx\t-1,25\trun\t\tSTATE\t2.5\t4\tplayer #1:C:\\videos\\a.mp4\n'
    assert read(tmp_path, text) == [('a.mp4', 3.75, 5.25, 'run', '')]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('video,class\na.mp4,run', r":1: the columns are \['video', 'class'\], not video,label"),
        ('video,label\nc.mp4,run', ":2: 'c.mp4' is not the name of a video of .*: such as"),
        ('video,label\nb.mp4,run', 'monday/b.mp4, tuesday/b.mp4 have this name: write the path'),
        ('video,label\nx/b.mp4,run', "'x/b.mp4' is not the name of a video .*such as monday/b.mp4"),
        ('video,start,stop,label\na.mp4,1,nan,run', ":2: 'nan' is not a time"),
        ('video,start,stop,label\na.mp4,3,2,run', ':2: stops at 2.0 s, before its start'),
        ('video,label\na.mp4,r\x1bn', ':2: .* has control characters'),
        (f'{BORIS}Time\tSource\n1\tx\t\trun\t\tSTOP\t4\ta.mp4', ':2: STOP of .run. is out of turn'),
        (f'{BORIS}Time\tSource' + 2 * '\n1\tx\t\trun\t\tSTART\t4\ta.mp4', ':3: START .* is out'),
        (f'{BORIS}Time\tSource\n1\tx\t\trun\t\tSTART\t4\ta.mp4', ':2: .run. starts and does not'),
        (f'{BORIS}Time\tSource\n1\tx\t5\trun\t\tPOINT\t4\ta.mp4', ":2: '-1.000' is not a time"),
        (f'{BORIS}Time\tSource\n1\tx\t\trun\t\tPOINT\t4\ta.mp4;b.mp4', ':2: names several videos'),
    ],
)
def test_mistakes_end_in_one_line_with_the_place(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, text)
    assert '\n' not in str(error.value)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp('any') / 'labels.csv'
    for head in ('', 'video,start,stop,label\n', f'{BORIS}Time\tSource\n'):
        path.write_text(head + text, encoding='utf-8', errors='replace')
        try:
            read_label_table(path, VIDEOS)
        except DataError as error:
            assert '\n' not in str(error) and 'labels.csv' in str(error)


def test_labels_lie_in_their_video_and_a_moment_has_one_class():
    def one(start: float, stop: float, name: str = 'run') -> Label:
        return Label('a.mp4', start, stop, name, '', 'labels.csv:9')

    check_labels([one(0, math.inf), one(2, 3), one(9, 10.9)], {'a.mp4': 10.0})
    check_labels([one(0, 2), one(2, 4, 'sit')], {'a.mp4': 10.0})
    for labels, message in [
        ([one(9, 11.1)], '9 to 11.1 s, and a.mp4 ends at 10.00 s'),
        ([one(10, 10.5)], 'a.mp4 ends at 10.00 s'),
        ([one(0, 5), one(1, 2), one(4, 6, 'sit')], "'sit' overlaps with 'run' of labels.csv:9"),
    ]:
        with pytest.raises(DataError, match=message):
            check_labels(labels, {'a.mp4': 10.0})
    groups = [one(0, 1)._replace(group=group) for group in ('', 'anna', 'ben')]
    check_labels(groups[:2], {'a.mp4': 0})
    with pytest.raises(DataError, match='a.mp4 has the groups anna, ben: give it one'):
        check_labels(groups, {})


def test_what_is_written_is_read_again(tmp_path):
    labels = [Label('a.mp4', 1.25, 2.5, 'a, "b"', 'g'), Label('a.mp4', 3.0, 3.0, 'sit', 'g')]
    labels += [Label('monday/b.mp4', 0.0, math.inf, 'run')]
    (tmp_path / 'labels.csv').write_text(label_table(labels))
    found = read_label_table(tmp_path / 'labels.csv', VIDEOS)
    assert [label[:5] for label in found] == [label[:5] for label in labels]


def test_events_of_boris_come_back_and_subtitles_are_strict(tmp_path):
    segments = [
        Segment('monday/b.mp4', 0.0, 3661.0004, '<b> & "c" -->', 0.5),
        Segment('monday/b.mp4', 3661.0004, 3670.0, 'run', 1.0),
        Segment('a.mp4', 0.0, 1.0, 'run', 1.0),
    ]
    texts = segment_files(segments)
    (tmp_path / 'b.csv').write_text(texts['boris/monday/b.csv'])
    found = read_label_table(tmp_path / 'b.csv', VIDEOS)
    assert [label[:4] for label in found] == [
        (s.video, round(s.start, 3), round(s.stop, 3), s.label) for s in segments[:2]
    ]
    assert texts['subtitles/monday/b.vtt'] == (
        'WEBVTT\n\n00:00:00.000 --> 01:01:01.000\n&lt;b&gt; &amp; "c" --&gt; 0.50\n\n'
        '01:01:01.000 --> 01:01:10.000\nrun 1.00\n'
    )
    assert texts['segments.csv'].splitlines()[3] == 'a.mp4,0.0,1.0,run,1.0'


def test_files_of_the_call_before_are_removed_and_no_others(tmp_path):
    write_files(tmp_path, {'next.csv': '1', 'boris/b.csv': '2', 'boris/c/d.csv': '3'})
    (tmp_path / 'boris' / 'c' / 'mine.csv').write_text('')
    (tmp_path / 'labels.csv').write_text('')
    record = tmp_path / 'written.json'
    record.write_text(json.dumps([*json.loads(record.read_text()), 'labels.csv', '../x', 'boris']))
    write_files(tmp_path, {'next.csv': '4'})
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob('*') if p.is_file()}
    assert found == {'next.csv', 'labels.csv', 'boris/c/mine.csv', 'written.json'}
