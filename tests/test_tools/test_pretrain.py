"""The command line of tools/pretrain.py, from files to a model, on made videos and skeletons."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.logging import print_log

from mmact_ssl.apis import embed, pretrain_plan
from mmact_ssl.apis.pretrain_plan import Job, Plan
from mmact_ssl.apis.source_folder import Source
from mmact_ssl.errors import DataError
from mmact_ssl.io.checkpoint_file import read_state_dict
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.zoo import find_published
from mmact_ssl.targets.broken_videos import broken_listing
from mmact_ssl.targets.cache import TargetReader
from tests.helpers.hf_networks import save_network
from tests.test_io.test_hf_folder import FAULTS
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
        make_video(place / f'clip {number}.mp4', num_frames=10, width=64 + 2 * number, height=48)
    (folder / 'wave' / 'bad one.mp4').write_bytes(b'no video')
    return folder


@pytest.fixture
def small_images(monkeypatch, small_teacher_images) -> list[str]:
    """Gives the options of all trainings, which a test may extend."""
    from mmact_ssl.engine.config_reading import read_config

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
        lambda config, more=(), data=None: read_config(config, [*options, *more], data),
    )
    return options


@pytest.fixture
def given_speeds(monkeypatch):
    """Plan with speeds that are given; other tests measure them."""
    planning = 'mmact_ssl.apis.pretrain_plan'
    monkeypatch.setattr(f'{planning}.measure_teachers', lambda *_: 1.0)
    monkeypatch.setattr(f'{planning}.measure_step', lambda cfg: 1.0)


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
    with monkeypatch.context() as killed, pytest.raises(SystemExit, match='^130$'):
        killed.setattr(tool, 'train', Mock(side_effect=KeyboardInterrupt))
        tool.main([str(word) for word in command])
    shown = capsys.readouterr().out
    assert 'left out: wave/bad one.mp4: cannot be opened' in shown
    assert '8 videos written, 0 were there' in shown
    shown = run(capsys, clips, '--out', tmp_path / 'out')
    assert 'measuring' not in shown and 'videos written' not in shown
    assert '[3/5] train' in shown and '[1/5]' not in shown and '[2/5]' not in shown
    assert 'no labels, no table: give --labels TABLE, or --labels folders' in shown

    (model,) = (tmp_path / 'out').glob('my_clips-*.safetensors')
    assert str(model) in shown and str(tmp_path / 'out' / 'gallery' / 'index.html') in shown
    assert embed(str(model), str(clips / 'wave' / 'clip 0.mp4')).shape == (2560,)
    page = (tmp_path / 'out' / 'gallery' / 'gallery-data.js').read_text()
    assert len(json.loads(page.removeprefix('const DATA = ').rstrip(';\n'))['clips']) == 8

    shown = run(capsys, clips, '--out', tmp_path / 'out')
    assert '/5]' not in shown and shown.count('done') == 5

    # Labels that come later are evaluated, with the student that is there.
    shown = run(capsys, clips, '--out', tmp_path / 'out', '--labels', 'folders')
    assert '[1/6] prepare' in shown and '[4/6] evaluate' in shown
    assert '[3/6]' not in shown and '[5/6]' not in shown and '[6/6]' not in shown
    assert f'model    {model}' in shown and StudentFile.read(model).card.data == 'my_clips'
    assert 'Top-1 in % of 8 test clips' in shown
    assert f'start (tsm-lite0): not recorded\n  {GENERAL}: non-commercial' in shown
    shown = run(capsys, clips, '--out', tmp_path / 'out', '--labels', 'folders')
    assert '/6]' not in shown and 'Top-1 in % of 8 test clips' in shown

    with pytest.raises(SystemExit) as end:
        tool.main([str(clips), '--out', str(tmp_path / 'out'), '--steps', '3'])
    assert end.value.code == 2
    assert 'was begun with steps 4: leave the option out' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures('given_speeds', 'small_images')
def test_a_video_that_has_changed_gets_new_targets(clips, make_video, capsys, monkeypatch):
    def poses() -> list[float]:
        reader = TargetReader('out/my_clips/targets/pose.lmdb')
        names = 'videos/wave/clip_0.mp4', 'videos/wave/clip_2.mp4'
        return [float(reader.get(name).mean()) for name in names]

    monkeypatch.setattr(tool, 'train', Mock(side_effect=KeyboardInterrupt))
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
    shown = capsys.readouterr().out
    assert '1 videos written (1 had changed), 7 were there' in shown
    assert '  targets     0:00:0' in shown  # for one of nine
    with pytest.raises(SystemExit, match='^130$'):
        tool.main(command)
    assert '[2/5] targets' not in capsys.readouterr().out


@pytest.mark.usefixtures('given_speeds', 'small_images')
def test_a_recording_that_grows_gets_more_windows(clips, make_video, capsys, monkeypatch):
    monkeypatch.setattr('mmact_ssl.apis.pretrain_plan.WINDOW', 1.0)
    load = tool.load_tool
    stopped = Mock(main=Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(tool, 'load_tool', lambda n: stopped if n == 'extract' else load(n))
    make_video(clips / 'day.mp4', num_frames=100, width=64, height=48)
    command = ['my clips', '--teacher', 'gray_pose.py', '--out', 'out', '--steps', '2']

    def planned() -> tuple[str, int]:
        with pytest.raises(SystemExit, match='^130$'):
            tool.main(command)
        listed = Path('out/my_clips/train.txt').read_text().splitlines()
        return capsys.readouterr().out, sum('day.mp4.windows/' in name for name in listed)

    shown, windows = planned()
    assert '10 files; 13 samples, windows of 1 s of recordings (--window 0' in shown
    assert 'warning: these are few, and each is seen 2 times' in shown and windows == 4
    make_video(clips / 'day.mp4', num_frames=150, width=64, height=48)
    shown, windows = planned()
    assert '10 files; 15 samples' in shown and '[1/5] prepare' in shown and windows == 6
    (clips / 'day.mp4').unlink()
    assert planned()[1] == 0 and not [*Path('out').rglob('*.windows/*')]


@pytest.mark.slow
@pytest.mark.usefixtures('small_images')
def test_a_network_of_transformers_guides_the_student_too(clips, capsys, monkeypatch, make_video):
    giant = Path(save_network(clips.parent / 'giant-1.5', 'videomae'))
    command = ['my clips', '--out', 'out', '--steps', '4']
    teachers = ['--teacher', 'gray_pose.py', '--teacher', 'hf:giant-1.5']
    shown = run(capsys, *command, *teachers)
    assert 'of gray_pose, efficientnet_lite0_imagenet, giant-1.5 (as asked)' in shown
    assert 'dtg-video_tsm-lite0: 2 epochs, 4 steps' in shown
    cache = TargetReader(Path('out/my_clips/targets/video.lmdb').absolute())
    assert (cache.meta.window, cache.meta.every, len(cache.keys())) == ((16, 3), 48, 8)
    assert cache.shape(cache.keys()[0]) == (10, 32)
    state = read_state_dict(Path('out/training/epoch_2.pth'))
    assert state['heads.guidance.projectors.video.0.weight'].shape == (32, 1280)
    (model,) = Path('out').glob('my_clips-*.safetensors')
    assert embed(str(model), str(clips / 'wave' / 'clip 0.mp4')).shape == (2560,)

    # The next training has the same teachers, if their files are the same.
    make_video(clips / 'wave' / 'new.mp4', num_frames=10, width=64, height=48)
    monkeypatch.setattr(tool, 'train', Mock(side_effect=KeyboardInterrupt))
    monkeypatch.chdir(clips)
    again = ['.', '--out', '../out', '--again']
    with pytest.raises(SystemExit, match='^130$'):
        tool.main(again)
    assert 'giant-1.5 (as asked)' in capsys.readouterr().out and len(cache.keys()) == 9
    make_video(clips / 'wave' / 'newer.mp4', num_frames=10, width=64, height=48)
    preparation = giant / 'preprocessor_config.json'
    preparation.write_text(preparation.read_text() + '\n')
    with pytest.raises(SystemExit, match=r'video\.lmdb is stale: its fingerprint.*--out'):
        tool.main(again)


@pytest.mark.slow
@pytest.mark.usefixtures('given_speeds')
def test_videos_start_from_a_published_model(clips, small_images, tmp_path, capsys):
    """A training that changes nothing ends with the weights of the model that it starts from."""
    command = [clips, '--teacher', 'gray_pose.py', '--steps', '2', '--out', tmp_path / 'out']
    command += ['--from', GENERAL, '--labels', 'folders']
    small_images.append('optim_wrapper.optimizer.lr=0')
    shown = run(capsys, *command)
    state = read_state_dict(tmp_path / 'out' / 'training' / 'epoch_2.pth')
    published = read_state_dict(find_published(GENERAL))
    student = {name: value for name, value in state.items() if name.startswith('backbone.')}
    assert student.keys() == published.keys()
    assert all(
        torch.equal(student[name], value.to(student[name])) for name, value in published.items()
    )
    # The start is that model, so all columns are equal.
    assert shown.count('+0.0 ± 0.0') == 2 * 3, 'three rows of two encoders'


def write_skeletons(path: Path, count: int = 12) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        path,
        names=np.array([f'c{i}' for i in range(count)]),
        labels=np.arange(count) % 2,
        lengths=np.full(count, 20),
        keypoints=0.1 * rng.normal(size=(20 * count, 20, 3)).cumsum(0).astype(np.float32),
        classes=np.array(['wave', 'jump']),
    )


def test_skeletons_from_a_file_to_a_model(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_skeletons(tmp_path / 'moves.npz')
    before = files_below(tmp_path)
    shown = run(capsys, 'moves.npz', '--steps', '2', '--dry-run', '--coordinates', 'xyz')
    assert 'ms2l-twoview_gru: 2 epochs, 2 steps' in shown and 'targets' not in shown
    print_log('a message', 'current')  # planning hides messages, and shows those after it again
    assert 'a message' in ''.join(capsys.readouterr())
    assert files_below(tmp_path) == before
    shown = run(capsys, 'moves.npz', '--steps', '2')
    assert '/training): not recorded' in shown and 'all, linear' in shown
    (model,) = Path('work_dirs/pretrain_moves').glob('moves-*.safetensors')
    clip = np.random.default_rng(1).normal(size=(1, 20, 20, 3)).astype(np.float32)
    assert embed(str(model), clip).ndim == 1
    # Another run starts from this model, wherever it lies.
    (odd := Path('my, models [1]')).mkdir()
    model = model.rename(odd / model.name)
    shown = run(capsys, 'moves.npz', '--steps', '1', '--from', str(model), '--out', 'again')
    assert len(list(Path('again').glob('moves-*.safetensors'))) == 1
    with pytest.raises(SystemExit):
        tool.main(['moves.npz', '--from', 'dtg_tsm-lite0_jhmdb', '--out', 'other', '--dry-run'])
    assert "'tsm-lite0', and this folder trains 'gru-streams'" in capsys.readouterr().err


def test_what_cannot_be_evaluated_is_tried_again(tmp_path, capsys, monkeypatch):
    job = Job(Source(tmp_path, False, (), (), True), tmp_path / 'out', 'mine')
    job.plan = Plan(False, 1, 2, 1, 2)
    step = tool.Step(job, 'evaluate', 'of both', 'these files', lambda: tool.evaluate(job))
    monkeypatch.setattr(tool, 'plan_job', lambda args: job)
    monkeypatch.setattr(tool, 'list_steps', lambda job: [step])
    compared = Mock(side_effect=[DataError('one label is too few'), ('the table', {}, None)])
    monkeypatch.setattr('mmact_ssl.apis.compare.compare', compared)
    assert '\nno table: one label is too few\n' in run(capsys, tmp_path) and not step.is_done
    assert 'the table\n' in run(capsys, tmp_path) and step.is_done


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
    changes = '1 replaced (moves.npz)'
    # After the training the clips are evaluated and shown, and what the model has seen is told.
    shown = run(capsys, *command)
    assert (
        f'{changes} since its training began; the model has seen 0 of the 1 files: --again' in shown
    )
    assert '[2/5]' not in shown and '[5/5] gallery' in shown
    assert '"c99"' in page.read_text() and '"c0"' not in page.read_text()
    (first,) = out.glob('*.safetensors')
    shown = run(capsys, *command, '--again')
    assert '[2/5] train' in shown and 'since its training' not in shown
    assert (out / 'training_2' / 'epoch_2.pth').is_file() and first.is_file()
    assert str(first) not in shown and len(list(out.glob('*.safetensors'))) == 2
    assert '/5]' not in run(capsys, *command, '--again')
    # As if it had been stopped after one epoch.
    state = json.loads((out / 'state.json').read_text())
    del state['steps']['train']
    (out / 'state.json').write_text(json.dumps(state))
    arrays['names'][1] = 'c98'
    np.savez(folder / 'moves.npz', **arrays)
    with pytest.raises(SystemExit):
        tool.main(command)
    assert f'{changes} since its training began; the model' in capsys.readouterr().err


@pytest.mark.usefixtures('small_images')
def test_mistakes_are_one_line_with_the_fix(tmp_path, clips, capsys, monkeypatch):
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
    assert 'are for skeletons' in message(clips, '--layout', 'coco17')
    assert 'no such file; give a table' in message(clips, '--labels', 'labels.csv')
    Path('labels.csv').write_text('video,label\nb.mp4,x\n')
    assert 'labels.csv:2: no video' in message(clips, '--labels', 'labels.csv')
    both = '--teacher', 'gray_pose.py', '--teacher', 'gray_embedding.py'
    assert 'one teacher of poses, and at most one hf:FOLDER' in message(clips, *both)
    monkeypatch.setattr(pretrain_plan, 'length_of', lambda file: pytest.fail('a video is read'))
    for teacher, why in ('nope', 'no such config'), ('efficientnet_lite0_imagenet', '--teacher: '):
        assert why in message(clips, '--teacher', teacher, '--dry-run')
    for name in 'gone', 'weights cut', 'another kind', 'pickle', 'code of the network':
        fault, why = FAULTS[name]
        network = Path(save_network(tmp_path / name / 'network', 'dinov2'))
        fault(network)
        shown = message(clips, '--teacher', f'hf:{network}', '--out', 'out')
        assert re.search(f'error: .*{why}', shown) and not Path('out').exists()
