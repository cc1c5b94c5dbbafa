"""Videos in tar shards: the same samples as from files, from a disk and from a server."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from torch.utils.data import DataLoader

from mmact_ssl.datasets import shards
from mmact_ssl.datasets.prepared_folder import read_groups
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError
from mmact_ssl.io.files import is_remote, read_annotation, video_path
from mmact_ssl.preparation.shards import prepare
from mmact_ssl.registry import DATASETS
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.extraction import ExtractionJob, extract_many, read_annotations
from tests.test_targets.test_extraction import ColorTeacher

NAMES = ['videos/a b.mp4', 'videos/é.mp4', f'videos/{"long" * 30}.mp4', 'c/d.mp4', 'e.mp4', 'f.mp4']
CROP = [
    {'type': 'mmaction.RandomResizedCrop', 'area_range': (0.2, 1.0)},
    {'type': 'mmaction.Resize', 'scale': (32, 32), 'keep_ratio': False},
]
PIPELINE = [
    {'type': 'SampleViews', 'clip': {'num_frames': 4, 'stride': 2}},
    {'type': 'DecodeViews', 'short_side': 48},
    {'type': 'TransformViews', 'views': ('clip',), 'transforms': CROP},
    {'type': 'PackInputs', 'views': ('clip',)},
]


@pytest.fixture(scope='module')
def files(tmp_path_factory, make_video):
    folder = tmp_path_factory.mktemp('files')
    for i, name in enumerate(NAMES):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        make_video(folder / name, num_frames=20 + i)
    (folder / 'train.txt').write_text(''.join(f'{name} {i % 2}\n' for i, name in enumerate(NAMES)))
    (folder / 'classes.txt').write_text('sit\nrun\n')
    return folder


@pytest.fixture
def folder(files, tmp_path):
    """Shards of two or three videos."""
    two = sorted((files / name).stat().st_size for name in NAMES)[-2:]
    assert prepare(files, tmp_path, sum(two) / 1e6) == {'train': 6, 'shards': 3}
    shards.members.cache_clear()
    return tmp_path


def test_a_shard_is_filled_to_its_limit(files, tmp_path):
    for megabytes, number in ((100, 1), (1e-6, 6)):
        counts = prepare(files, tmp_path / str(number), megabytes)
        assert counts == {'train': 6, 'shards': number}
    # Megabytes are fractions, and 1e6 * (size / 1e6) may be less than the size.
    size = next(n for n in range(1000, 9999) if 1e6 * (n / 1e6) < n)
    (tmp_path / 'a.mp4').write_bytes(bytes(600))
    (tmp_path / 'b.mp4').write_bytes(bytes(size - 600))
    (tmp_path / 'train.txt').write_text('a.mp4 0\nb.mp4 1\n')
    assert prepare(tmp_path, tmp_path / 'out', size / 1e6) == {'train': 2, 'shards': 1}


def test_groups_follow_their_videos_and_equal_files_give_equal_bytes(files, folder, tmp_path):
    before = {path.name: path.read_bytes() for path in folder.glob('shards/*')}
    source = shutil.copytree(files, tmp_path / 'source')
    groups = {name: f'subject {i // 3}' for i, name in enumerate(NAMES)}
    (source / 'groups.json').write_text(json.dumps(groups))
    two = sorted((files / name).stat().st_size for name in NAMES)[-2:]
    prepare(source, folder, sum(two) / 1e6)
    assert {path.name: path.read_bytes() for path in folder.glob('shards/*')} == before
    names, _ = read_annotation(folder / 'train.txt', '')
    assert read_groups(folder / 'groups.json', names).tolist() == [*groups.values()]
    prepare(files, folder)
    assert not (folder / 'groups.json').exists(), 'groups of before'


class Handler(SimpleHTTPRequestHandler):
    """Gives ranges, which Python's own server does not; fails every third time if asked to.

    ``answer``: the status for every shard; 0: none.
    """

    sent: list[int]
    failing = False
    answer: int | None = None
    count = 0

    def log_message(self, *args):
        pass

    def do_GET(self):
        Handler.count += 1
        if self.failing and Handler.count % 3 == 0:
            self.send_error(503)
            return
        if self.answer is not None and self.path.endswith('.tar'):
            self.send_error(self.answer) if self.answer else threading.Event().wait(1)
            return
        wanted = self.headers.get('Range')
        path = self.translate_path(self.path)
        if wanted is None or self.directory.endswith('whole'):
            super().do_GET()
            return
        first, last = (int(part) for part in wanted.removeprefix('bytes=').split('-'))
        with open(path, 'rb') as file:
            file.seek(first)
            data = file.read(last + 1 - first)
        self.sent.append(len(data))
        self.send_response(206)
        self.send_header('Content-Length', str(len(data)))
        self.send_header('Accept-Ranges', 'bytes')
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self):
        self.do_GET() if self.answer is not None else super().do_HEAD()


@pytest.fixture
def serve():
    pytest.importorskip('aiohttp', reason='pip install mmact_ssl[shards]')
    servers = []

    def start(directory):
        Handler.sent = []
        handler = partial(Handler, directory=str(directory))
        servers.append(ThreadingHTTPServer(('127.0.0.1', 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f'http://127.0.0.1:{servers[-1].server_port}'

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def build(ann_file, videos, **options):
    options = {'pipeline': PIPELINE, 'data_prefix': {'video': str(videos)}, **options}
    return DATASETS.build({'type': 'PretextVideoDataset', 'ann_file': str(ann_file), **options})


def samples_of(dataset):
    dataset.set_progress(3, 5)
    return [dataset[i] for i in range(len(dataset))]


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        np.testing.assert_array_equal(one['inputs']['clip'], other['inputs']['clip'])
        assert one['data_samples'].gt_label == other['data_samples'].gt_label
        assert not one['data_samples'].replaced


def test_samples_of_shards_are_those_of_the_files(files, folder):
    assert (folder / 'classes.txt').read_text() == 'sit\nrun\n'
    wanted = samples_of(build(files / 'train.txt', files))
    dataset = build(folder / 'train.txt', folder)
    assert sorted(np.bincount(dataset.shards)) == [2, 2, 2]
    assert_same(samples_of(dataset), wanted)
    for index in folder.glob('shards/*.json'):
        index.unlink()
    shards.members.cache_clear()
    assert_same(samples_of(dataset), wanted)


@pytest.mark.parametrize('indexed', [True, False])
def test_two_workers_read_ranges_from_a_server_that_fails_now_and_then(
    files, folder, serve, monkeypatch, indexed
):
    monkeypatch.setattr(Handler, 'failing', indexed)
    monkeypatch.setattr(shards.time, 'sleep', lambda seconds: None)
    if not indexed:
        for index in folder.glob('shards/*.json'):
            index.unlink()
    dataset = build(folder / 'train.txt', serve(folder))
    dataset.set_progress(3, 5)
    loader = DataLoader(dataset, 2, num_workers=2, collate_fn=list, multiprocessing_context='fork')
    found = [sample for batch in loader for sample in batch]
    assert_same(found, samples_of(build(files / 'train.txt', files)))
    videos = {512 + (files / name).stat().st_size for name in NAMES}
    others = [size for size in Handler.sent if size not in videos]
    assert videos <= set(Handler.sent) and max(others, default=0) <= (0 if indexed else 1024)


@pytest.mark.parametrize('indexed', [True, False])
@pytest.mark.parametrize(
    ('answer', 'reason', 'times'),
    [(0, 'no answer for 0.1 seconds', 3), (500, '500', 3), (403, '403', 1)],
)
def test_a_server_that_fails_is_asked_again_and_named(
    folder, serve, monkeypatch, answer, reason, times, indexed
):
    monkeypatch.setattr(Handler, 'answer', answer)
    monkeypatch.setattr(shards, 'TIMEOUT', 0.1)
    pauses = []
    monkeypatch.setattr(shards.time, 'sleep', pauses.append)
    name = next(iter(shards.members(str(folder / 'shards/train-000000.tar'))))
    if not indexed:
        (folder / 'shards/train-000000.tar.json').unlink()
    with pytest.raises(BrokenSampleError, match=rf'train-000000\.tar/.*cannot be read .*{reason}'):
        shards.read_video(f'{serve(folder)}/shards/train-000000.tar/{name}')
    assert pauses == [1, 5][: times - 1]


def test_a_server_must_give_ranges_and_have_the_shards(folder, serve):
    whole = folder / 'whole'
    (folder / 'shards').rename(whole)
    address = serve(whole)
    member = next(iter(shards.members(f'{address}/train-000000.tar')))
    with pytest.raises(BrokenSampleError, match='does not support ranges'):
        shards.read_video(f'{address}/train-000000.tar/{member}')
    with pytest.raises(DataError, match=r'nowhere/shards/train-00000\d.tar: '):
        build(folder / 'train.txt', f'{address}/nowhere')
    (folder / 'plain.txt').write_text('a.mp4\n')
    with pytest.raises(ConfigError, match='must be in tar shards'):
        build(folder / 'plain.txt', address)
    with pytest.raises(ConfigError, match='pip install mmact_ssl'):
        build(folder / 'train.txt', 'nothing://bucket')


def test_broken_members_are_named_and_replaced(folder):
    lines = (folder / 'train.txt').read_text().splitlines()
    cut, foreign, swapped = (folder / 'shards' / f'train-00000{i}.tar' for i in range(3))
    places = shards.members(str(cut))
    last = max(places, key=lambda name: places[name][0])
    with open(cut, 'r+b') as file:
        file.truncate(sum(places[last]) - 100)
    index = folder / 'shards' / f'{foreign.name}.json'
    index.write_text((folder / f'shards/{cut.name}.json').read_text())
    index = folder / 'shards' / f'{swapped.name}.json'
    names, values = zip(*json.loads(index.read_text()).items())
    index.write_text(json.dumps(dict(zip(names, values[::-1]))))
    checked = sum(name.isascii() and len(name) <= 100 for name in names)
    shards.members.cache_clear()
    reasons = []
    for line in lines:
        try:
            shards.read_video(str(folder / line.rpartition(' ')[0]))
        except BrokenSampleError as error:
            reasons.append(str(error))
    assert len(reasons) == 3 + checked >= 4
    assert sum('it is cut' in reason for reason in reasons) == 1
    assert sum(f'is not in {foreign}' in reason for reason in reasons) == 2
    assert sum('is not the shard of its index' in reason for reason in reasons) == checked
    dataset = build(folder / 'train.txt', folder)
    dataset.max_replacements = 100
    found = [sample['data_samples'].replaced for sample in samples_of(dataset)]
    assert sorted(filter(None, found)) == sorted(reasons)


def test_missing_shards_are_found_when_the_data_set_is_built(folder):
    lines = (folder / 'train.txt').read_text().splitlines()
    gone = folder / 'shards' / lines[0].split('/')[1]
    gone.rename(folder / 'elsewhere.tar')
    with pytest.raises(DataError, match='2 of 6 videos of .* are missing, the first is .*tar/'):
        build(folder / 'train.txt', folder)
    assert len(build(folder / 'train.txt', folder, skip_missing=True)) == 4


def test_every_list_is_written_and_the_source_stays_as_it_is(files, tmp_path):
    source = shutil.copytree(files, tmp_path / 'source')
    (source / 'val.txt').write_text('e.mp4 1\n')
    (tmp_path / 'link').symlink_to(source)
    with pytest.raises(DataError, match='give another --out'):
        prepare(tmp_path / 'link', source)
    assert prepare(source, tmp_path / 'out') == {'train': 6, 'shards': 2, 'val': 1}
    assert (tmp_path / 'out/val.txt').read_text() == 'shards/val-000000.tar/e.mp4 1\n'
    prepare(files, tmp_path / 'out')
    assert not (tmp_path / 'out/val.txt').exists(), 'a list of before'


def test_teachers_read_shards(folder, files):
    names = read_annotations([folder / 'train.txt'])
    extract_many([ExtractionJob(ColorTeacher(), folder / 'shards.lmdb')], folder, names)
    extract_many([ExtractionJob(ColorTeacher(), folder / 'files.lmdb')], files, NAMES)
    found, wanted = (TargetReader(folder / f'{name}.lmdb') for name in ('shards', 'files'))
    for name, original in zip(names, NAMES):
        np.testing.assert_array_equal(found.get(name), wanted.get(original))
        assert wanted.find(name) == original  # a cache of the files serves the shards


ADDRESSES = [
    'reference::memory://x.tar/a.mp4',
    'simplecache::http://127.0.0.1:9/x.tar/a.mp4',
    'http://127.0.0.1:9/x.tar/a.mp4',
    'file:///x.tar/a.mp4',
    'a::b.tar/a.mp4',
    '~/x.tar/a.mp4',
    'concat:e.mp4',
    'subfile,,start,0,end,0,,:e.mp4',
]


@pytest.mark.parametrize('line', ADDRESSES)
@pytest.mark.parametrize('root', ['.', ''])
def test_a_line_of_a_list_is_no_address(files, tmp_path, monkeypatch, line, root):
    """Neither fsspec nor FFmpeg is asked; a file of that very name is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shards.fsspec.core, 'url_to_fs', lambda url: pytest.fail(url))
    (tmp_path / 'e.mp4').write_bytes((files / 'e.mp4').read_bytes())
    (tmp_path / 'list.txt').write_text(f'{line} 0\n')
    shards.members.cache_clear()
    with pytest.raises(DataError, match=r'1 of 1 videos of list.txt are missing'):
        build('list.txt', root)
    video = tmp_path / line
    if '.tar/' in line:
        archive = tmp_path / line.rpartition('/')[0]
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, 'w') as tar:
            tar.add(files / 'e.mp4', 'a.mp4')
    else:
        video.parent.mkdir(parents=True, exist_ok=True)
        video.write_bytes((files / 'e.mp4').read_bytes())
    assert not build('list.txt', root)[0]['data_samples'].replaced


@pytest.mark.parametrize('line', ['../e.mp4', '/etc/e.mp4', 'a/../../e.mp4', '../http://h/a.tar/b'])
@pytest.mark.parametrize('root', ['data', 'memory://set'])
def test_a_line_of_a_list_names_files_below_the_root(tmp_path, line, root):
    (tmp_path / 'list.txt').write_text(f'{line} 0\n')
    folder = root if is_remote(root) else str(tmp_path)
    with pytest.raises(DataError, match=f'{line!r} leads out of '):
        build(tmp_path / 'list.txt', folder)
    for name in ('a.tar::memory://b.tar/c.mp4', 'memory://b.tar/c.mp4', 'a::b.tar/c.mp4'):
        with pytest.raises(DataError, match='holds an address'):
            video_path('memory://set', name)


def test_links_and_dots_in_a_shard_lead_to_their_bytes(files, tmp_path):
    shard = tmp_path / 'x.tar'
    with tarfile.open(shard, 'w') as tar:
        tar.add(files / 'e.mp4', './v/e.mp4')
        for name, kind, target in (
            ('./hard.mp4', tarfile.LNKTYPE, './v/e.mp4'),
            ('./v/soft.mp4', tarfile.SYMTYPE, 'e.mp4'),
            ('./out.mp4', tarfile.SYMTYPE, '/etc/hostname'),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tar.addfile(entry)
    shards.members.cache_clear()
    wanted = (files / 'e.mp4').read_bytes()
    for index in (False, True):
        if index:
            (tmp_path / 'x.tar.json').write_text(json.dumps(shards.members(str(shard))))
            shards.members.cache_clear()
        for name in ('v/e.mp4', './v/e.mp4', 'hard.mp4', './hard.mp4', 'v/soft.mp4'):
            assert shards.read_video(f'{shard}/{name}') == wanted
        with pytest.raises(BrokenSampleError, match='is not in'):
            shards.read_video(f'{shard}/out.mp4')


def test_a_description_of_a_stream_in_a_shard_waits_for_no_network(tmp_path):
    """FFmpeg would listen on the port of a session description for ever."""
    text = (
        'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n'
    )
    with tarfile.open(tmp_path / 'x.tar', 'w') as tar:
        entry = tarfile.TarInfo('a.mp4')
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    with pytest.raises(BrokenSampleError, match='cannot be opened'):
        VideoReader(tmp_path / 'x.tar/a.mp4')
