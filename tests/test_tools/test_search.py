"""Search from the command line: the index follows the folder, hits are those of the inferencer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from mmact_ssl.apis.retrieval_inferencer import RetrievalInferencer
from tools.search import main


@pytest.fixture
def clips(labeled_world, tmp_path) -> Path:
    """Videos and one broken file."""
    folder = tmp_path / 'my clips'
    shutil.copytree(labeled_world / 'videos', folder)
    (folder / 'torn.mp4').write_bytes(b'torn')
    return folder


def test_hits_are_printed_below_their_queries_or_as_json(video_model, clips, tmp_path, capsys):
    model, index = video_model.student.path, tmp_path / 'clips.index'
    options = ['--index', str(index), '--top', '3']
    queries = [str(path) for path in sorted(clips.glob('class*'))[:2]]
    main([model, str(clips), *options, '--query', *queries])
    printed = capsys.readouterr()
    number = len(list(clips.glob('class*')))
    assert f'{number} added, 0 changed, 0 known, 0 gone' in printed.err
    assert printed.err.count(f'{clips}/torn.mp4: ') == 1
    first, *hits = printed.out.splitlines()
    assert [first, hits[3]] == queries
    assert hits[0].split() == ['1.000', *first.split()], 'the query itself'
    search = RetrievalInferencer(model, index, show_progress=False)
    expected = search(first, top=3)['hits'][0]
    assert [line.split(maxsplit=1)[1] for line in hits[:3]] == [hit['name'] for hit in expected]
    main([model, str(clips), *options, '--json'])
    assert json.loads(capsys.readouterr().out).keys() == {'index'}
    main([model, *options, '--query', first, '--json'])  # the index as it is
    report = json.loads(capsys.readouterr().out)
    assert report.keys() == {'queries', 'hits', 'broken'} and report['hits'][0] == expected


def test_an_encoder_is_named_for_a_checkpoint_that_records_none(
    student_checkpoint, clips, tmp_path
):
    content = torch.load(student_checkpoint)
    del content['meta']['record']['encoder']
    bare = tmp_path / 'bare.pth'
    torch.save(content, bare)
    words = [str(bare), str(clips), '--index', str(tmp_path / 'bare.index'), '--encoder']
    main([*words, 'r3d18-small'])
    with pytest.raises(SystemExit, match=r'bare\.index: its encoder is '):
        main([*words, 'r3d18-small,side=32'])
