"""Files with forged values: each reader gives values of its types, or one error names the file."""

from __future__ import annotations

import copy
import json
import math
import random
import signal
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import lmdb
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmact_ssl.apis.feature_index import FeatureIndex
from mmact_ssl.apis.pretrain_plan import Plan, Record
from mmact_ssl.datasets.prepared_folder import read_groups
from mmact_ssl.datasets.shards import members, video_hash
from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import MMActSSLError
from mmact_ssl.evaluation.results import Result, read_results
from mmact_ssl.io.checkpoint_file import CARD_KEY, saved_checkpoints
from mmact_ssl.io.records import Card, LabelsRead
from mmact_ssl.io.schema import read_json
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.zoo import add_to_index
from mmact_ssl.prompts.sentence_file import read_sentences
from mmact_ssl.targets.cache import TargetMeta, TargetReader, TargetWriter
from mmact_ssl.targets.load_targets import LoadTargets
from mmact_ssl.targets.target_cache_hook import doubtful_poses
from mmact_ssl.targets.values import pack

SEEDS = range(200)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in a block that takes longer."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f'longer than {seconds} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def nested(levels: int, is_list: bool) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if is_list else {'a': value}
    return value


STRANGE: list[Any] = [
    *(None, True, 0, -1, 7, 10**30, 1.5, math.inf, math.nan, 1e308, '', 'pose', '9', 'x' * 20_000),
    *('../../etc/passwd', '\x1b[2J', 'é\u2028', '\ud800', [], {}, [[]], [1, 2], ['a'], {'a': 1}),
    *([[0, 1], ['x']], [10**30], [1.5, 2], {'type': 'os.system'}, ['gru'] * 1000),
    *(nested(levels, is_list) for levels in (30, 150, 300) for is_list in (True, False)),
]


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    yield path
    for key in (
        value if isinstance(value, dict) else range(len(value)) if type(value) is list else ()
    ):
        yield from places(value[key], (*path, key))


def mutate(values: Any, generator: random.Random, strange_values: Any = STRANGE) -> Any:
    """Change, add or remove a value, at any depth."""
    values, strange = copy.deepcopy(values), generator.choice(strange_values)
    *path, key = generator.choice([path for path in places(values) if path] + [(None,)])
    part = values
    for inner in path:
        part = part[inner]
    if key is None:
        return strange
    if isinstance(part, dict) and generator.random() < 0.2:
        key = generator.choice(['extra', 'x' * 300, '\x1b[2J', 'self'])
    if key in range(99) or generator.random() < 0.9:
        part[key] = strange
    else:
        part.pop(key, None)
    return values


def text_file(name):
    return lambda folder, values: (folder / name).write_text(json.dumps(values))


POSES = np.random.default_rng(0).random((5, 17, 3)).astype(np.float32)
HEADER = dict(shape=[5, 17, 3], step=5, source_hash='h', total=5)
META = TargetMeta('pose', 'coco17', 'a' * 64, 'made')
FIELDS = {key: value for key, value in json.loads(META.encode()).items() if key != 'crc32'}


def write_cache(folder, meta, header):
    if isinstance(meta, dict):
        meta = {**meta, 'crc32': zlib.crc32(json.dumps(meta, sort_keys=True).encode())}
    head, raw = json.dumps(header).encode(), POSES.tobytes()
    head = struct.pack('<II', len(head), 8) + head + struct.pack('<II', len(raw), zlib.crc32(raw))
    with lmdb.open(str(folder / 'x.lmdb')) as environment, environment.begin(write=True) as lines:
        lines.put(b'__meta__', json.dumps(meta).encode())
        lines.put(b'a', zlib.crc32(head, zlib.crc32(b'a')).to_bytes(4, 'little') + head + raw)
        lines.put(b'b', pack(b'b', POSES))


def read_cache(folder):
    path = folder / 'x.lmdb'
    reader = TargetReader(path)
    assert reader.get('b').shape == reader.get_frames('a', np.arange(5), 5).shape == POSES.shape
    doubtful_poses(path)
    LoadTargets('t', str(path), layout=None).bind(folder)
    assert reader.meta.window is None or max(reader.meta.window) < 10_000
    TargetWriter(path, reader.meta).close()


RESULT = Result(
    *('CSVR', 'full', 'demo', 'fewshot', 'r3d', 0, {'knn@1': 0.4, 'n_test': 6}, 0.5, 'c', 'h', 'k'),
    *('d', False, {'confusion': [[3, 0], [1, 2]], 'draws': {'knn@1': [0.4, 0.5]}, 'drawn': 'x'}),
)


def write_results(folder, values):
    RESULT.write(folder).write_text(json.dumps(values) + '\n')


def read_result(folder):
    for result in read_results(folder):
        assert result.test_clips + len(result.label) > 0
        result.write(folder)


CHECKPOINT = dict(
    **dict(epoch=3, iter=30, starts=1, run={'processes': 1}, cfg='x = 1\n'),
    target_caches={'train': {'prompt': {'f': 'made'}, 'pose': {'a': 'movenet'}}},
    record=dict(
        encoder={'config': 'mmact_ssl::encoders/gru.py', 'options': {}},
        **dict(config='made', data='made', labels=asdict(LabelsRead('made', 0.5, 0))),
    ),
)
ENCODER = {'config': 'mmact_ssl::encoders/gru.py', 'options': {'layout': 'kinect20'}}
CARD = Card('m', ENCODER, *('CSVR', 'c', 'made', 'x', 'MIT', 'a', 'float32', '0'))


def write_checkpoint(folder, values):
    torch.save({'state_dict': {'a': torch.ones(2)}, 'meta': values}, folder / 'epoch_1.pth')


def write_card(folder, values):
    text = json.dumps(values)
    save_file({'backbone.a': torch.ones(2)}, folder / 'm.safetensors', metadata={CARD_KEY: text})


def read_student(folder):
    saved_checkpoints(folder)
    (path,) = folder.iterdir()
    saved = StudentFile.read(path)
    text = saved.config_name + saved.method + saved.dataset_name + str(saved.record.get('name'))
    assert text.isprintable() and all(type(k) is str for k in saved.sentence_encoders)
    assert saved.labels_read is None or math.isfinite(saved.labels_read.fraction)
    assert saved.card is None or saved.card.licence.isprintable()


def write_skeletons(folder, values):
    (folder / 'meta.json').write_text(json.dumps(values))
    np.save(folder / 'skeletons.npy', np.zeros((9, 1, 17, 3), np.float32))
    numbers = dict(labels=[0, 1], lengths=[4, 5], persons=[1, 1])
    np.savez(folder / 'clips.npz', names=np.array(['a', 'b']), **numbers)


def read_skeletons(folder):
    clips = open_skeleton_folder(folder, 'prepare it again')
    assert type(clips.num_classes) is int and clips.content_hash


def read_index(folder):
    (folder / 'a-00000000.safetensors').write_bytes(b'x')
    add_to_index(folder / 'a-00000000.safetensors', 'a')


def read_shard(folder):
    (folder / 'x.tar').write_bytes(b'x' * 4096)
    for name, place in members(str(folder / 'x.tar')).items():
        assert min(place) >= 0
        video_hash(f'{folder}/x.tar/{name}')


def read_state(folder):
    record = read_json(folder / 'state.json', 'give another --out', Record)
    assert record.number >= 0 and all(size >= 0 for size, _, _ in record.files.values())
    if plan := record.plan:
        assert plan.epochs // 5 >= 0 and ''.join(plan.teachers) + plan.note


SKELETONS = dict(format=1, layout='coco17', unit='metres', classes=2, sha256='a')
SETTINGS = dict(format=5, model='a', model_name='m', windows=1.0)
PLAN = Plan(True, 5, 3, 1, 20, ['a'], ['o'], 'n', '', {'Train': 3.0}, {'steps': 5})
STATE = Record({'a.mp4': (9, 5, 'b')}, PLAN, 'c', {'train': 1}, 1, {'a.mp4': 'b'})
ENTRY = dict(file=f'b-{"b" * 8}.safetensors', sha256='b' * 64, size=9)
DOORS = {
    'cache': (FIELDS, lambda f, values: write_cache(f, values, HEADER), read_cache),
    'value': (HEADER, lambda f, values: write_cache(f, FIELDS, values), read_cache),
    'results': (asdict(RESULT), write_results, read_result),
    'checkpoint': (CHECKPOINT, write_checkpoint, read_student),
    'card': (asdict(CARD), write_card, read_student),
    'skeletons': (SKELETONS, write_skeletons, read_skeletons),
    'groups': ({'a': 'x'}, text_file('g'), lambda folder: read_groups(folder / 'g', ['a', 'b'])),
    'zoo': ({'b': ENTRY}, text_file('index.json'), read_index),
    'clips.index': (SETTINGS, text_file('index.json'), lambda f: FeatureIndex(f, SETTINGS).rows()),
    'shard': ({'a.mp4': [512, 5]}, text_file('x.tar.json'), read_shard),
    'state': (asdict(STATE), text_file('state.json'), read_state),
    'sentences': ({'a': ['He.']}, text_file('s'), lambda folder: read_sentences(folder / 's')),
}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('door', DOORS)
def test_forged_values_are_read_as_their_types_or_named(door, tmp_path):
    values, write, read = DOORS[door]
    refused = 0
    for seed in [None, *SEEDS]:
        forged = values if seed is None else mutate(values, random.Random(f'{door} {seed}'))
        folder = tmp_path / str(seed)
        folder.mkdir()
        write(folder, forged)
        try:
            with time_limit(20):
                read(folder)
        except MMActSSLError as error:
            refused += 1
            assert seed is not None, error
            message = str(error)
            assert message.isprintable() and len(message) < 800, (forged, message)
            assert str(folder) in message or 'were measured ' in message, (forged, message)
    assert 60 < refused < len(SEEDS)
