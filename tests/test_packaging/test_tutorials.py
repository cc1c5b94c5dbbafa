"""The commands of the tutorials, run on small made data; test_inference_page.py runs search.md."""

from __future__ import annotations

import pickle
import re
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl_cli import SHORT
from tests.helpers.pages import blocks

ROOT = Path(__file__).parents[2]
# Options that make a command small.
SMALL = {
    'train': ['--cfg-options', 'train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1'],
    'evaluate': [
        *('--cfg-options', 'train_cfg.max_epochs=1', 'linear.folds=2', 'linear.penalties=(0.1,)'),
        'finetune.min_iters_per_epoch=2',
    ],
    # More workers are started for minutes of work.
    'extract_targets': ['--workers', '1', '--every', '5'],
}
# Options of a training on few videos, on images of 32x32 in place of 112x112.
FEW_VIDEOS = [
    '--cfg-options',
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    *(f'train_dataloader.dataset.pipeline.{n}.transforms.1.scale=(32,32)' for n in (4, 5)),
]


def commands(page: str, about: str) -> list[list[str]]:
    """Words of each ``mmact-ssl`` line in the blocks of a page that have a text in them."""
    text = (ROOT / 'docs' / page).read_text()
    found = re.findall(r'^```\w*\n(.*?)^```|((?:^    .*\n)+)', text, re.DOTALL | re.MULTILINE)
    chosen = ''.join(block for block in map(''.join, found) if about in block)
    lines = chosen.replace('\\\n', ' ').splitlines()
    return [shlex.split(li, comments=True)[1:] for li in lines if 'mmact-ssl ' in li]


def run(words: list[str]) -> None:
    """Run a tool in this process, made small."""
    tool = SHORT.get(words[0], words[0])
    arguments = words[1:]
    if '--seeds' in arguments:
        del arguments[arguments.index('--seeds') + 2 :]
    import_module(f'tools.{tool}').main(arguments + SMALL.get(tool, []))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with this package's configs."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('MMACT_SSL_FOLDER', '')  # so that what --data sets is undone
    return tmp_path


def clip(label: int, seed: int, joints: int = 20) -> np.ndarray:
    """A skeleton ``(T, joints, 3)`` whose class is the axis that it moves along."""
    generator = np.random.default_rng(seed)
    length = int(generator.integers(20, 30))
    found = generator.normal(size=(1, joints, 3)) + 0.05 * generator.normal(
        size=(length, joints, 3)
    )
    found[..., label] += np.sin(np.arange(length))[:, None]
    return found


@pytest.mark.slow
def test_few_labels(desk: Path, capsys: pytest.CaptureFixture[str]):
    (desk / 'clips').mkdir()
    for number in range(36):
        name = f'{("sit", "wave")[number // 6 % 2]}_s{number % 6 + 1:02d}_{number:03d}.npy'
        np.save(desk / 'clips' / name, clip(number // 6 % 2, number))
    (example,) = blocks('docs/start/own_skeletons.md', about='from pathlib')
    exec(example, {})
    table = dict(np.load('mine.npz'))
    rest = np.flatnonzero(table['subjects'] == 1)[1:]
    table['labels'][rest] = -1
    np.savez('mine.npz', **table)
    lines = commands('start/few_labels.md', 'mine.npz')
    assert len(lines) == 8
    assert lines[0] in commands('start/own_skeletons.md', '--source mine.npz')
    for words in lines:
        run(words)
    shown = capsys.readouterr().out
    assert (desk / 'work_dirs/ms2l-twoview_gru_mine/epoch_1.pth').is_file()
    assert shown.count(f'{len(rest)} of 18 samples have no label and are left out') == 6
    assert shown.count('18 test clips') == 6 and '13 training clips' in shown


@pytest.mark.slow
def test_from_pyskl(desk: Path, capsys: pytest.CaptureFixture[str]):
    names = [f'S001C001P{number:03d}R001A{number % 2 + 1:03d}' for number in range(12)]
    annotations = [
        dict(frame_dir=name, label=number % 2, keypoint=clip(number % 2, number, 25)[None])
        for number, name in enumerate(names)
    ]
    content = dict(split=dict(xsub_train=names[:8], xsub_val=names[8:]), annotations=annotations)
    (desk / 'ntu60_3danno.pkl').write_bytes(pickle.dumps(content))
    for words in commands('extend/migrating.md', 'mmact-ssl'):
        run(words)
    assert '4 test clips' in capsys.readouterr().out, 'those of xsub_val'


@pytest.mark.slow
@pytest.mark.usefixtures('small_teacher_images')
def test_your_own_videos(desk: Path, labeled_world: Path, capsys: pytest.CaptureFixture[str]):
    for video in (labeled_world / 'videos').iterdir():
        to = desk / 'my_videos' / video.name.split('_')[0] / video.name
        to.parent.mkdir(parents=True, exist_ok=True)
        to.symlink_to(video)
    tutorial = commands('start/own_videos.md', 'data/mine')
    prepare, extract, train, publish, label, evaluate, finetune = tutorial
    run(prepare)
    # The teacher of the page downloads itself.
    run(['demo_pose_teacher'.join(w.split('rtmpose-t_coco')) for w in extract])
    run([*train, *FEW_VIDEOS])
    run(publish)
    assert list(desk.glob('mine-*.pth'))
    videos = [p.relative_to(desk / 'my_videos').as_posix() for p in desk.glob('my_videos/*/*')]
    table = [f'{name},{name[:6]}' for name in sorted(videos)]
    Path('labels.csv').write_text('\n'.join(['video,label', *table]))
    run(label)
    run(evaluate)
    assert 'test clips' in capsys.readouterr().out

    run(finetune)
    tuned = 'work_dirs/evaluate/dtg_tsm-lite0_mine_full_mine_finetune_seed0'
    assert f'are in {tuned}\n' in capsys.readouterr().out
    (code,) = blocks('docs/extend/migrating.md', about='from mmaction.apis')
    code = code.replace('epoch_20', 'epoch_1').replace(
        "'a.mp4'", repr(str(next(desk.glob('my_videos/*/*'))))
    )
    exec(code)  # in stock mmaction2
    scores = capsys.readouterr().out
    assert re.search(r'^tensor\(\[0\.\d+, ', scores, re.MULTILINE), scores

    # Labels of a part, read beside the pretext tasks; names and targets of the videos stay.
    Path('labels.csv').write_text('\n'.join(['video,label', *table[: 2 * len(table) // 3]]))
    prepare, train, evaluate = commands('start/few_labels.md', 'dtg-joint')
    run(prepare)
    run([*train, *FEW_VIDEOS])
    run(evaluate)
    assert 'joint' in capsys.readouterr().out
