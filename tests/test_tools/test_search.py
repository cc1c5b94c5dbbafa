"""Search from the command line: the index follows the folder, hits are those of the inferencer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from tools.search import main


@pytest.fixture
def model(publish, linear_config, student_checkpoint, tmp_path) -> str:
    return str(publish(linear_config, student_checkpoint, tmp_path))


@pytest.fixture
def clips(labeled_world, tmp_path) -> Path:
    """Videos and one broken file."""
    folder = tmp_path / 'my clips'
    shutil.copytree(labeled_world / 'videos', folder)
    (folder / 'torn.mp4').write_bytes(b'torn')
    return folder


@pytest.mark.usefixtures('own_logger')
def test_hits_are_printed_below_their_queries(model, clips, tmp_path, capsys):
    index = tmp_path / 'clips.index'
    first, second, *_ = sorted(clips.glob('class*'))
    words = [model, str(clips), '--index', str(index), '--top', '3']
    main([*words, '--query', str(first), str(second)])
    printed = capsys.readouterr()
    number = len(list(clips.glob('class*')))
    assert f'{number} added, 0 changed, 0 known, 0 gone' in printed.err
    assert printed.err.count(f'{clips}/torn.mp4: ') == 1
    query, *hits = printed.out.splitlines()
    assert query == str(first) and hits[3] == str(second)
    assert hits[0].split() == ['1.000', *str(first).split()], 'the query itself'
    search = RetrievalInferencer(model, index, show_progress=False)
    expected = search(str(first), top=3)['hits'][0]
    assert [line.split(maxsplit=1)[1] for line in hits[:3]] == [hit['name'] for hit in expected]


@pytest.mark.usefixtures('own_logger')
def test_an_index_is_brought_up_to_date_and_searched_as_it_is(model, clips, tmp_path, capsys):
    index = str(tmp_path / 'clips.index')
    main([model, str(clips), '--index', index, '--json'])
    printed = capsys.readouterr()
    assert json.loads(printed.out).keys() == {'index'} and 'torn.mp4: ' in printed.err
    query = min(clips.glob('class*'))
    search = [model, '--index', index, '--query', str(query), '--top', '2']
    main([*search, '--json'])
    report = json.loads(capsys.readouterr().out)
    assert report.keys() == {'queries', 'hits', 'broken'}
    assert report['hits'][0][0]['name'] == str(query)
