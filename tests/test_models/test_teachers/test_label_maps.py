"""Label maps: every class has one place, and the shipped ones are whole."""

import json
from pathlib import Path

import pytest
import torch
from mmseg.datasets import LIPDataset

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.label_maps import read_label_map
from mmact_ssl.models.teachers.mmseg import MMSegTeacher

SHIPPED = sorted(Path('configs/teachers/label_maps').glob('*.json'))
GOOD = dict(
    layout='person',
    classes=['background', 'tree', 'woman', 'man'],
    parts=dict(person=['man', 'woman']),
    ignored=['background', 'tree'],
)


def write(path: Path, **changes) -> Path:
    path.write_text(json.dumps({**GOOD, **changes}))
    return path


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_ones_are_whole(path):
    found = read_label_map(path)
    source = path.stem.split('_to_')[0]
    assert list(found.parts) == list(PART_LAYOUTS[found.layout].names)
    assert found.num_classes == len(PART_LAYOUTS[source].names)
    assert json.loads(path.read_text())['classes'] == list(PART_LAYOUTS[source].names)
    used = [index for indices in found.parts.values() for index in indices]
    assert len(set(used)) == len(used)


def test_lip_has_the_order_of_mmsegmentation():
    theirs = [name.lower().replace('-', '') for name in LIPDataset.METAINFO['classes']]
    assert theirs == [name.replace('_', '') for name in PART_LAYOUTS['lip'].names]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'ignored': ['background']}, r"see \['tree'\]"),
        ({'ignored': ['background', 'tree', 'man']}, r"see \['man'\]"),
        ({'classes': [*GOOD['classes'], 'man']}, r"see \['man'\]"),
        ({'parts': {'person': []}}, r"each of person; see \['person'\]"),
        ({'layout': 'people'}, "unknown layout 'people'; known are person"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    path = write(tmp_path / 'map.json', **changes)
    with pytest.raises(ConfigError, match=rf'map.json: .*{message}'):
        read_label_map(path)


def test_a_teacher_folds_its_classes_by_the_file(small_model, frames, tmp_path):
    files = small_model('mmseg').files
    path = str(write(tmp_path / 'map.json'))
    teacher = MMSegTeacher(**files, input_size=32, label_map=path)
    every = MMSegTeacher(**files, input_size=32)(frames)
    assert teacher.layout == 'person'
    torch.testing.assert_close(teacher(frames)[:, 0], every[:, 2] + every[:, 3])
    # The fingerprint knows what the file says, not where it lies.
    same = MMSegTeacher(**files, input_size=32, parts={'person': [3, 2]}, layout='person')
    assert teacher.fingerprint() == same.fingerprint()
    with pytest.raises(ConfigError, match='or parts and layout'):
        MMSegTeacher(**files, input_size=32, label_map=path, layout='person')
    write(
        tmp_path / 'map.json',
        classes=[*GOOD['classes'], 'dog'],
        ignored=['background', 'tree', 'dog'],
    )
    with pytest.raises(ConfigError, match='map.json is of 5 classes, .* has 4'):
        MMSegTeacher(**files, input_size=32, label_map=path)
