"""Mutated files of each kind: a reader returns something, or one error names the file."""

from __future__ import annotations

import json
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import MMActSSLError
from mmact_ssl.io.checkpoint_file import read_state_dict
from mmact_ssl.io.files import read_annotation
from mmact_ssl.preparation import custom, nwucla, pose_pickles
from mmact_ssl.preparation.poses import write_poses
from mmact_ssl.targets.importers import import_npz

# MMACT_SSL_MUTATIONS=200 takes minutes.
MUTATIONS = int(os.environ.get('MMACT_SSL_MUTATIONS', 8))
KEYPOINT = np.random.default_rng(0).random((1, 6, 17, 2))


def write_pickle(path):
    clip = {'frame_dir': 'a', 'label': 1, 'keypoint': KEYPOINT, 'keypoint_score': KEYPOINT[..., 0]}
    path.write_bytes(pickle.dumps({'split': {'train': ['a']}, 'annotations': [clip]}))


def write_arrays(path):
    arrays = dict(names=['a'], labels=[1], lengths=[6], classes=['x', 'y'])
    np.savez_compressed(path, keypoints=KEYPOINT[0], **{k: np.array(v) for k, v in arrays.items()})


def write_clips(path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for clip in range(2):
            content = {'skeletons': np.full((4, 20, 3), 0.5 + clip).tolist()}
            archive.writestr(f'a01_s01_e0{clip}_v01.json', json.dumps(content))


def prepare_folder(path):
    write_pickle(path.with_suffix('.source'))
    pose_pickles.prepare(path.with_suffix('.source'), path, 'coco17')


def read_folder(path):
    folder = open_skeleton_folder(path, 'prepare it again')
    return folder.starts, np.array(folder._coordinates)


STATE = {'state_dict': {'backbone.a': torch.ones(40), 'b': torch.zeros(3, 2)}, 'meta': {'iter': 3}}
# Name of the file, what writes it, what reads it; a folder's files are mutated one at a time.
KINDS = {
    'checkpoint': ('x.pth', lambda p: torch.save(STATE, p), read_state_dict),
    'old checkpoint': (
        'x.pth',
        lambda p: torch.save(STATE, p, _use_new_zipfile_serialization=False),
        read_state_dict,
    ),
    'safetensors': ('x.safetensors', lambda p: save_file(STATE['state_dict'], p), read_state_dict),
    'list': ('x.txt', lambda p: p.write_text('a b.mp4 1\nc.mp4\n' * 5), None),
    'pickle': ('x.pkl', write_pickle, None),
    'arrays': ('x.npz', write_arrays, None),
    'clips': ('x.zip', write_clips, None),
    'poses': (
        'x.npz',
        lambda p: write_poses(p, {'a': KEYPOINT[0][:, :, [0, 1, 0]]}, 'coco17'),
        None,
    ),
    'folder': ('x', prepare_folder, read_folder),
}
READERS = {
    'list': lambda p: read_annotation(p, 'write it again'),
    'pickle': lambda p: pose_pickles.prepare(p, p.parent / 'out', 'coco17'),
    'arrays': lambda p: custom.prepare(p, p.parent / 'out', 'coco17'),
    'clips': lambda p: nwucla.prepare(p, p.parent / 'out'),
    'poses': lambda p: import_npz(p, p.parent / 'out', ['a'], overwrite=True),
}


def mutate(content: bytes, draw: random.Random) -> bytes:
    """Flip, overwrite, insert or cut some bytes."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 20))):
        where = draw.randrange(len(data) + 1)
        size = draw.choice((1, 2, 8, 200))
        kind = draw.randrange(5)
        if kind == 0 and where < len(data):
            data[where] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[where : where + size] = bytes([draw.choice((0, 255, 0x2D, 0x39))]) * size
        elif kind == 2:
            data[where:where] = draw.randbytes(size)
        elif kind == 3:
            del data[where : where + size]
        else:
            data[where : where + size] = data[:size]
    return bytes(data[: draw.randrange(len(data) + 1)] if draw.random() < 0.1 else data)


@pytest.mark.parametrize('kind', KINDS)
def test_mutated_files_are_read_or_named(tmp_path, kind):
    name, write, read = KINDS[kind]
    read = read or READERS[kind]
    path = tmp_path / 'in' / name
    path.parent.mkdir()
    write(path)
    read(path)
    files = [path] if path.is_file() else sorted(path.glob('*.[anm][pned]*'))
    whole = {file: file.read_bytes() for file in files}
    for number in range(MUTATIONS):
        draw = random.Random(f'{kind} {number}')
        file = draw.choice(files)
        file.write_bytes(mutate(whole[file], draw))
        try:
            read(path)
        except MMActSSLError as error:
            assert '\n' not in str(error), number
            assert 'x' in str(error) or str(path.parent / 'out') in str(error), number
        file.write_bytes(whole[file])
    assert sorted(p.name for p in tmp_path.iterdir()) == ['in']
