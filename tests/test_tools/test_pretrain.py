"""The command line of tools/pretrain.py, from files to a model, on made videos and skeletons."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from mmact_ssl.apis import embed
from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.pretrain_plan import Plan
from mmact_ssl.apis.source_folder import Source
from mmact_ssl.apis.zoo import find_model
from mmact_ssl.checkpoint_file import read_state_dict
from mmact_ssl.targets.broken_videos import broken_listing
from mmact_ssl.targets.cache import TargetReader
from tools import pretrain as tool

GENERAL = 'dtg_tsm-lite0_jhmdb'
# Images of 32x32 in place of 112x112, in each view; fewer videos a step.
SMALL = [
    'train_dataloader.batch_size=4',
    *(f'train_dataloader.dataset.pipeline.{n}.transforms.1.scale=(32,32)' for n in (4, 5)),
]


@pytest.fixture
def clips(tmp_path, make_video, monkeypatch, gray_teachers):
    """Eight videos of two classes and one that is broken; a teacher of poses is gray_pose.py."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / 'my clips'
    for number in range(8):
        place = folder / ('wave', 'jump high')[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        make_video(place / f'clip {number}.mp4', num_frames=10, width=64, height=48)
    (folder / 'wave' / 'bad one.mp4').write_bytes(b'no video')
    return folder


@pytest.fixture
def small_images(monkeypatch, small_teacher_images) -> list[str]:
    """Gives the options of all trainings, which a test may extend."""
    from mmact_ssl.engine.launch import read_config

    options, load_any = [*SMALL], tool.load_tool

    def load(name: str):
        module = load_any(name)
        if name == 'train':
            train = module.main
            module.main = lambda words: train([*words, *options])  # --cfg-options is the last one
        return module

    monkeypatch.setattr(tool, 'load_tool', load)
    monkeypatch.setattr(
        'mmact_ssl.apis.pretrain_plan.read_config',
        lambda config, data: read_config(config, options, data),
    )
    return options


@pytest.fixture
def known_speeds(monkeypatch):
    """Plan with speeds that are given; other tests measure them."""
    planning = 'mmact_ssl.apis.pretrain_plan'
    monkeypatch.setattr(f'{planning}.measure_teachers', lambda folder, names, teachers: (1.0, 0))
    monkeypatch.setattr(f'{planning}.measure_step', lambda cfg: (1.0, 1e6))


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


def run(capsys, *words: str) -> str:
    tool.main([str(word) for word in words])
    return capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures('small_images')
def test_videos_from_a_plan_to_a_model(clips, tmp_path, capsys, monkeypatch):
    before = files_below(tmp_path)
    command = [clips, '--teacher', 'gray_pose.py', '--steps', '4', '--out', tmp_path / 'out']
    shown = run(capsys, *command, '--dry-run')
    assert 'gray_pose, efficientnet_lite0_imagenet' in shown and '2 epochs, 4 steps' in shown
    assert 'evaluate' not in shown  # no labels
    assert files_below(tmp_path) == before

    # Killed when the training begins: the next call goes on there.
    real = tool.load_tool

    def killed(name: str):
        if name == 'train':
            raise KeyboardInterrupt
        return real(name)

    monkeypatch.setattr(tool, 'load_tool', killed)
    with pytest.raises(SystemExit, match='^130$'):
        tool.main([str(word) for word in command])
    shown = capsys.readouterr().out
    assert 'left out: wave/bad one.mp4: cannot be opened' in shown
    assert '8 videos written, 0 were there' in shown
    monkeypatch.setattr(tool, 'load_tool', real)
    shown = run(capsys, clips, '--out', tmp_path / 'out')
    assert 'measuring' not in shown and 'videos written' not in shown
    assert '[3/5] train' in shown and '[1/5]' not in shown and '[2/5]' not in shown
    assert 'no labels, no table' in shown

    (model,) = (tmp_path / 'out').glob('my_clips-*.safetensors')
    assert str(model) in shown and str(tmp_path / 'out' / 'gallery' / 'index.html') in shown
    assert embed(str(model), str(clips / 'wave' / 'clip 0.mp4')).shape == (2560,)
    page = (tmp_path / 'out' / 'gallery' / 'gallery-data.js').read_text()
    assert len(json.loads(page.removeprefix('const DATA = ').rstrip(';\n'))['clips']) == 8

    shown = run(capsys, clips, '--out', tmp_path / 'out')
    assert '/5]' not in shown and shown.count('done') == 5

    # Labels that come later are evaluated, with the student that is there, and stand on its card.
    assert not read_card(model).results
    shown = run(capsys, clips, '--out', tmp_path / 'out', '--labels', 'folders')
    assert '[1/6] prepare' in shown and '[4/6] evaluate' in shown
    assert '[3/6]' not in shown and '[5/6] publish' in shown and '[6/6]' not in shown
    (newer,) = {*(tmp_path / 'out').glob('my_clips-*.safetensors')} - {model}
    assert f'model    {newer}' in shown
    assert {figure['name'] for figure in read_card(newer).results} == {'Linear', 'kNN'}
    assert 'top-1 in % of 2 held-out clips (95 % interval)' in shown
    assert 'start' in shown and 'student (dtg_tsm-lite0)' in shown
    shown = run(capsys, clips, '--out', tmp_path / 'out', '--labels', 'folders')
    assert '/6]' not in shown and 'held-out clips' in shown

    with pytest.raises(SystemExit) as end:
        tool.main([str(clips), '--out', str(tmp_path / 'out'), '--steps', '3'])
    assert end.value.code == 2
    assert 'was begun with steps 4: leave the option out' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures('known_speeds', 'small_images')
def test_a_video_that_has_changed_gets_new_targets(clips, make_video, capsys, monkeypatch):
    def killed(job):
        raise KeyboardInterrupt

    def poses() -> list[float]:
        reader = TargetReader('out/my_clips/targets/pose.lmdb')
        names = 'videos/wave/clip_0.mp4', 'videos/wave/clip_2.mp4'
        return [float(reader.get(name).mean()) for name in names]

    monkeypatch.setattr(tool, 'train', killed)
    command = ['my clips', '--teacher', 'gray_pose.py', '--out', 'out']
    with pytest.raises(SystemExit, match='^130$'):
        tool.main(command)
    before = poses()
    make_video(clips / 'wave' / 'clip 0.mp4', 60, width=64, height=48, skip=range(50))
    for cache in Path('out/my_clips/targets').glob('*.lmdb'):  # the other one was broken
        broken_listing(cache).write_text('videos/wave/clip_0.mp4\tcannot be decoded\n')
    with pytest.raises(SystemExit, match='^130$'):
        tool.main(command)
    after = poses()
    assert abs(after[0] - before[0]) > 0.01 and after[1] == before[1]
    assert '1 videos written (1 had changed), 7 were there' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='^130$'):
        tool.main(command)
    assert '[2/5] targets' not in capsys.readouterr().out


def test_copies_of_videos_that_are_gone_are_removed_and_no_other_file(tmp_path, monkeypatch):
    videos = tmp_path / 'out' / 'mine' / 'videos'
    videos.mkdir(parents=True)
    (videos / 'a.mp4').touch()
    (videos / 'gone.mp4').symlink_to(tmp_path / 'gone.mp4')
    (videos / "the user's.mp4").touch()
    listing = videos.parent / 'train.txt'
    listing.write_text('videos/a.mp4\nvideos/gone.mp4\n')
    prepare = Mock(side_effect=lambda words: listing.write_text('videos/a.mp4\n'))
    monkeypatch.setattr(tool, 'load_tool', lambda name: Mock(main=prepare))
    args = Namespace(labels=None, out=tmp_path / 'out', name='mine')
    source = Source(tmp_path, True, (), ('videos', '--source', str(tmp_path)), False)
    job = tool.Job(args, source, Plan(True, 1, 2, 1, 2))
    job.recorded['prepare'] = 'as it was'
    tool.prepare(job)
    assert sorted(os.listdir(videos)) == ['a.mp4', "the user's.mp4"]


@pytest.mark.slow
@pytest.mark.usefixtures('known_speeds')
def test_videos_start_from_a_published_model(clips, small_images, tmp_path, capsys):
    """A training that changes nothing ends with the weights of the model that it starts from."""
    command = [clips, '--teacher', 'gray_pose.py', '--steps', '2', '--out', tmp_path / 'out']
    command += ['--from', GENERAL, '--labels', 'folders']
    small_images.append('optim_wrapper.optimizer.lr=0')
    shown = run(capsys, *command)
    state = read_state_dict(tmp_path / 'out' / 'training' / 'epoch_2.pth')
    published = read_state_dict(find_model(GENERAL))
    own = {name: value for name, value in state.items() if name.startswith('backbone.')}
    assert own.keys() == published.keys()
    assert all(torch.equal(own[name], value.to(own[name])) for name, value in published.items())
    # The row of the start is that model, so both rows are equal.
    rows = json.loads((tmp_path / 'out' / 'state.json').read_text())['table']
    texts = [(row['protocol'], row['text']) for row in rows]
    assert [row['method'] for row in rows] == ['start'] * 2 + ['dtg_tsm-lite0'] * 2
    assert texts[:2] == texts[2:] and 'student (dtg_tsm-lite0)' in shown


def write_skeletons(path: Path, count: int = 12) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        path,
        names=np.array([f'c{i}' for i in range(count)]),
        labels=np.arange(count) % 2,
        lengths=np.full(count, 20),
        keypoints=rng.normal(size=(20 * count, 20, 3)).cumsum(0).astype(np.float32),
        classes=np.array(['wave', 'jump']),
    )


def test_skeletons_from_a_file_to_a_model(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_skeletons(tmp_path / 'moves.npz')
    before = files_below(tmp_path)
    shown = run(capsys, 'moves.npz', '--steps', '2', '--dry-run')
    assert 'ms2l-twoview_gru: 2 epochs, 2 steps' in shown and 'targets' not in shown
    assert files_below(tmp_path) == before
    shown = run(capsys, 'moves.npz', '--steps', '2')
    assert 'student (ms2l-twoview_gru)' in shown
    (model,) = Path('work_dirs/pretrain_moves').glob('moves-*.safetensors')
    clip = np.random.default_rng(1).normal(size=(1, 20, 20, 3)).astype(np.float32)
    assert embed(str(model), clip).ndim == 1
    # Another run starts from this model, wherever it lies.
    odd = Path('my, models [1]')
    odd.mkdir()
    model = model.rename(odd / model.name)
    shown = run(capsys, 'moves.npz', '--steps', '1', '--from', str(model), '--out', 'again')
    assert len(list(Path('again').glob('moves-*.safetensors'))) == 1
    with pytest.raises(SystemExit):
        tool.main(['moves.npz', '--from', 'dtg_tsm-lite0_jhmdb', '--out', 'other', '--dry-run'])
    assert "'tsm-lite0', and this folder trains 'gru-streams'" in capsys.readouterr().err


def test_a_training_does_not_go_on_with_other_clips(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    folder, out = tmp_path / '-clips', tmp_path / 'out'
    folder.mkdir()
    write_skeletons(folder / 'moves.npz')
    command = ['./-clips', '--steps', '2', '--out=~/out']  # a name like an option
    run(capsys, *command)
    page = out / 'gallery' / 'gallery-data.js'
    assert '"c99"' not in page.read_text()
    arrays = dict(np.load(folder / 'moves.npz'))
    arrays['names'][0] = 'c99'
    np.savez(folder / 'moves.npz', **arrays)
    # After the training the clips are evaluated and shown, and that is told.
    assert 'have changed since the training: give another --out' in run(capsys, *command)
    assert '"c99"' in page.read_text() and '"c0"' not in page.read_text()
    # As if it had been stopped after one epoch.
    for model in out.glob('*.safetensors'):
        model.unlink()
    (out / 'training' / 'epoch_2.pth').unlink()
    with pytest.raises(SystemExit, match='samples was .* resume with the same'):
        tool.main(command)


@pytest.mark.usefixtures('small_images')
def test_mistakes_are_one_line_with_the_fix(tmp_path, clips, capsys):
    def message(*words) -> str:
        with pytest.raises(SystemExit) as end:
            tool.main([str(word) for word in words])
        return f'{end.value} {capsys.readouterr().err}'

    assert 'no such folder; give a folder with videos, one npz' in message(tmp_path / 'nowhere')
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert 'none of 0 files is of use; give a folder with videos' in message(empty)
    write_skeletons(empty / 'a.npz')
    assert '--teacher is for videos, skeletons need none' in message(empty, '--teacher', 'x.py')
    assert '--labels is for videos' in message(empty, '--labels', 'folders')
    write_skeletons(empty / 'b.npz')
    assert 'holds 2 files of skeletons: give one of them' in message(empty)
    assert '--layout is for skeletons' in message(clips, '--layout', 'coco17')
    assert 'no such file; give a table' in message(clips, '--labels', 'labels.csv')
    needs = message(clips, '--teacher', 'gray_pose.py', '--minutes', '0.01', '--dry-run')
    assert 'this folder needs' in needs and 'with the fewest frames and steps of use' in needs
    wrong = message(clips, '--teacher', 'efficientnet_lite0_imagenet', '--dry-run')
    assert '--teacher: give one teacher of poses' in wrong
