"""The gallery's content, from a checkpoint to the clips that are drawn and marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.evaluate import evaluate
from mmact_ssl.evaluation.protocols.base import Encoder, Request
from mmact_ssl.prompts.frames import draw_skeletons
from mmact_ssl.prompts.sentence_file import hash_sentences
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.targets.cache import TargetMeta, TargetReader, TargetWriter
from mmact_ssl.visualization import text_gallery as module
from mmact_ssl.visualization.text_gallery import text_gallery
from tests.helpers.students import prompt_head, write_student
from tools import visualize

NAMES = [f'a0{label}_v3_{number}' for label in range(3) for number in range(2)]


@pytest.fixture
def parts(skeleton_config, tmp_path) -> dict[str, Any]:
    """A student, and paths of a cache of two sentences a clip, and of their file."""
    write_student(tmp_path / 'epoch.pth', skeleton_config, prompts=prompt_head())
    generator = np.random.default_rng(0)
    with TargetWriter(tmp_path / 'prompts', TargetMeta('text', '', 'f')) as writer:
        for name in NAMES:
            writer.put(name, generator.normal(size=(2, 6)).astype(np.float32))
    lines = {name: [f'first about {name}', f'second about {name}'] for name in NAMES}
    (tmp_path / 's.json').write_text(json.dumps(lines))
    return dict(
        student=SavedRun.read(tmp_path / 'epoch.pth'),
        texts=str(tmp_path / 'prompts'),
        sentences=str(tmp_path / 's.json'),
    )


def test_all_clips_found_once_and_marked_by_clip_and_class(skeleton_config, parts):
    queries, hits = text_gallery(skeleton_config, **parts, queries=6, top=6, frames=3)
    assert len(queries) == len(hits) == 6
    folder = open_skeleton_folder(skeleton_config.test_dataloader.dataset.data_prefix.skeleton, 'x')
    coordinates = folder.open_coordinates()
    asked = set()
    for query, row in zip(queries, hits):
        sentence, _, own = query.rstrip(')').rpartition(' (')
        asked.add(own)
        assert sentence in (f'“first about {own}”', f'“second about {own}”')
        assert sorted(hit.name for hit in row) == NAMES
        similarities = [hit.similarity for hit in row]
        assert similarities == sorted(similarities, reverse=True)
        for hit in row:
            expected = 'clip' if hit.name == own else 'class' if hit.name[:3] == own[:3] else ''
            assert hit.mark == expected
            place = folder.names.tolist().index(hit.name)
            start = folder.starts[place]
            clip = coordinates[start : start + folder.lengths[place]].transpose(1, 0, 2, 3)
            pictures = draw_skeletons(clip, LAYOUTS['kinect20'], 3)
            np.testing.assert_array_equal(hit.strip, np.concatenate(pictures, axis=1))
    assert asked == set(NAMES)


def test_the_seed_draws_the_sentences(skeleton_config, parts):
    drawn = [
        text_gallery(skeleton_config, **parts, queries=4, top=1, frames=1, seed=seed)[0]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_among_equals_the_own_clip_comes_last(skeleton_config, parts, monkeypatch):
    equal = [(place, name, np.ones((2, len(NAMES)))) for place, name in enumerate(NAMES)]
    monkeypatch.setattr(module, 'similarities', lambda *_: equal)
    _, hits = text_gallery(skeleton_config, **parts, queries=6, top=6, frames=1)
    assert [row[-1].mark for row in hits] == ['clip'] * 6


def test_it_shows_the_hits_that_the_protocol_counts(skeleton_config, parts, tmp_path):
    with TargetWriter(tmp_path / 'one', TargetMeta('text', '', 'f')) as writer:
        generator = np.random.default_rng(4)
        for name in NAMES:
            writer.put(name, generator.normal(size=(1, 6)).astype(np.float32))
    parts['texts'] = str(tmp_path / 'one')
    _, hits = text_gallery(skeleton_config, **parts, queries=6, top=3, frames=2)
    found = np.mean([any(hit.mark == 'clip' for hit in row) for row in hits])
    skeleton_config.merge_from_dict(
        {'text_retrieval.texts': parts['texts'], 'text_retrieval.topk': (3,)}
    )
    request = Request((Encoder(skeleton_config, parts['student']),))
    (result,) = evaluate(request, ['text-retrieval'])
    assert 0 < found < 1
    assert result.metrics['recall@3'] == pytest.approx(found)


def test_the_command_draws_it(skeleton_config, parts, tmp_path, capsys):
    skeleton_config.dump(tmp_path / 'config.py')
    options = ['--clip-texts', parts['texts'], '--sentences', parts['sentences']]
    options += ['--queries', '2', '--top', '3', '--frames', '2']
    options += ['--out', str(tmp_path / 'pictures')]
    visualize.main(['text-gallery', str(tmp_path / 'config.py'), parts['student'].path, *options])
    path = capsys.readouterr().out.splitlines()[-1]
    assert path == str(tmp_path / 'pictures' / 'gallery.png')
    assert cv2.imread(path).std() > 10


def test_only_sentences_that_the_cache_was_made_of_are_shown(skeleton_config, parts, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(module, 'print_log', lambda text, **options: said.append(text))
    lines = json.loads(Path(parts['sentences']).read_text())
    text_gallery(skeleton_config, **parts, queries=2, top=2, frames=2)
    (remark,) = said
    assert 'prompts does not record its sentences' in remark
    said.clear()
    reader = TargetReader(parts['texts'])
    values = {name: reader.get(name) for name in NAMES}
    with TargetWriter(parts['texts'], reader.meta) as writer:
        for name in NAMES:
            writer.put_stored(name, values[name], hash_sentences(lines[name]))
    asked, _ = text_gallery(skeleton_config, **parts, queries=6, top=2, frames=2)
    assert len(asked) == 6 and not said
    # As many, but about another clip each.
    exchanged = dict(zip(NAMES, [lines[name] for name in NAMES[1:] + NAMES[:1]]))
    Path(parts['sentences']).write_text(json.dumps(exchanged))
    with pytest.raises(DataError, match=r's\.json: has other sentences about .* than .*prompts'):
        text_gallery(skeleton_config, **parts, queries=2, top=2, frames=2)


def test_another_file_of_sentences_and_videos_are_refused(
    skeleton_config, parts, tmp_path, monkeypatch
):
    Path(parts['sentences']).write_text(json.dumps({name: ['one'] for name in NAMES[:2]}))
    with pytest.raises(DataError, match='give the file that the cache was made of'):
        text_gallery(skeleton_config, **parts)
    from mmact_ssl.evaluation.data import Split

    videos = Split('test.txt', 'root', ['a.mp4'], np.zeros(1, np.int64))
    monkeypatch.setattr(module, 'read_splits', lambda cfg: (videos, videos))
    with pytest.raises(ConfigError, match='draws skeletons, its clips are videos'):
        text_gallery(skeleton_config, **parts)
