"""Sentences about clips: no source reads a label, and clips without a sentence are reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.preparation.skeletons import SkeletonWriter
from tools import generate_prompts as tool

NAMES = [f'a0{number}_clip' for number in range(6)]


def prepare(folder: Path, labels: list[int], names: list[str] = NAMES) -> Path:
    """The same six clips, whatever their labels and names."""
    generator = np.random.default_rng(0)
    with SkeletonWriter(folder, 'made', 'kinect20', ['throw', 'carry'], 1) as writer:
        for name, label in zip(names, labels):
            clip = generator.normal(size=(1, 1, 20, 3)) + generator.normal(size=(1, 20, 20, 3)) / 2
            writer.add(name, label, clip.astype(np.float32))
        writer.finish({'train': names[:4], 'test': names[4:]})
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    return prepare(tmp_path / 'data', [0, 1, 0, 1, 0, 1])


def test_kinematic_sentences_do_not_depend_on_labels_or_names(tmp_path, data):
    written = []
    other = prepare(tmp_path / 'permuted', [1, 0, 0, 0, 1, 1])
    for folder in (data, other):
        tool.main(['kinematic', '--data', str(folder)])
        written.append((folder / 'sentences_kinematic.json').read_bytes())
    assert len(set(written)) == 1
    assert not {'throw', 'carry'} & set(written[0].decode().replace('"', ' ').split())
    renamed = prepare(tmp_path / 'renamed', [0] * 6, [f'z{name}' for name in NAMES])
    tool.main(['kinematic', '--data', str(renamed)])
    found = json.loads((renamed / 'sentences_kinematic.json').read_bytes())
    assert {name[1:]: lines for name, lines in found.items()} == json.loads(written[0])


def test_a_file_is_matched_by_name_and_the_rest_reported(tmp_path, data, capsys):
    file = tmp_path / 'others.json'
    file.write_text(json.dumps({NAMES[1]: ['x'], NAMES[3]: ['y', 'z'], 'stranger': ['w']}))
    tool.main(['file', str(file), '--data', str(data)])
    found = json.loads((data / 'sentences_file.json').read_text())
    assert found == {NAMES[1]: ['x'], NAMES[3]: ['y', 'z']}
    printed = capsys.readouterr().out
    assert '4 of 6 clips have no sentence, e.g. a00_clip' in printed
    assert '1 keys of' in printed and 'stranger' in printed


def test_an_error_is_one_line(data):
    message = 'error: .*none.json is missing: correct --sentences'
    with pytest.raises(SystemExit, match=message) as caught:
        tool.main(['file', 'none.json', '--data', str(data)])
    assert '\n' not in str(caught.value)
