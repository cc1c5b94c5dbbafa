"""The training program's options and its one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmact_ssl.engine.launch import configure_training
from mmact_ssl.errors import ConfigError, DataError, MMActSSLError, one_line_errors
from tests.helpers.processes import Process
from tools.train import parse_args

CONFIG = """
model = dict(type='X', heads=dict(pose=dict(weight=1), context=dict(weight=2)))
optim_wrapper = dict(constructor='C', optimizer=dict(type='Adam', lr=0.1))
randomness = dict(seed=5)
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / 'some_method.py'
    path.write_text(CONFIG)
    return str(path)


def load(*argv: str):
    return configure_training(parse_args(list(argv)))


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (
            '',
            dict(
                work_dir='work_dirs/some_method',
                launcher='none',
                resume=None,
                randomness=dict(seed=5),
                model=dict(type='X', heads=dict(pose=dict(weight=1), context=dict(weight=2))),
            ),
        ),
        (
            '--cfg-options model.heads.pose=None model.heads.context.weight=3',
            dict(model=dict(type='X', heads=dict(pose=None, context=dict(weight=3)))),
        ),
        # load_from is where a run without a checkpoint begins.
        ('--resume --cfg-options load_from=a.pth', dict(resume='auto', load_from='a.pth')),
        (f'--resume {__file__}', dict(resume=True, load_from=__file__)),
        (
            '--work-dir here --seed 7 --deterministic',
            dict(work_dir='here', randomness=dict(seed=7, deterministic=True)),
        ),
    ],
)
def test_options_win_over_the_config(config: str, words: str, expected: dict):
    cfg = load(config, *words.split())
    assert {key: cfg.get(key) for key in expected} == expected


def test_a_word_that_is_no_option_is_named(config: str):
    with pytest.raises(ConfigError, match='^--cfg-options seed: write KEY=VALUE$'):
        load(config, '--cfg-options', 'train_cfg.max_epochs=1', 'seed')
    cfg = load(config, '--cfg-options', 'knn=1', '--cfg-options', 'env_cfg=[1,x]')
    assert (cfg.knn, cfg.env_cfg) == (1, [1, 'x'])


def test_mixed_precision_keeps_the_constructor(config: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    wrapper = load(config, '--amp').optim_wrapper
    assert (wrapper.type, wrapper.constructor) == ('AmpOptimWrapper', 'C')
    assert wrapper.loss_scale == 'dynamic'
    with pytest.raises(ConfigError, match='cannot be combined with optim_wrapper.type=Mine'):
        load(config, '--amp', '--cfg-options', 'optim_wrapper.type=Mine')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match='--amp needs a GPU'):
        load(config, '--amp')


def test_a_learning_rate_is_for_the_batch_of_its_file(config: str):
    """Unless the config tells another size; an option changes the batch and not the rate."""
    with pytest.raises(ConfigError, match='base_batch_size'):
        load(config, '--auto-scale-lr')
    Path(config).write_text(f'{CONFIG}\ntrain_dataloader = dict(batch_size=32)\n')
    option = ['--cfg-options', 'train_dataloader.batch_size=8']
    assert load(config, *option).auto_scale_lr == dict(base_batch_size=32)
    cfg = load(config, '--auto-scale-lr', *option)
    assert cfg.auto_scale_lr == dict(base_batch_size=32, enable=True)
    cfg = load(config, *option, 'auto_scale_lr.base_batch_size=64')
    assert cfg.auto_scale_lr == dict(base_batch_size=64)
    Path(config).write_text(
        f'{CONFIG}\ntrain_dataloader = dict(batch_size=32)\n'
        'optim_wrapper = dict(accumulative_counts=4)\n'
    )
    assert load(config).auto_scale_lr == dict(base_batch_size=128), 'the batch of a step'


def test_several_processes_on_cpu_use_gloo(config: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setenv('LOCAL_RANK', '0')
    cfg = load(config, '--launcher', 'pytorch')
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert cfg.model_wrapper_cfg.type == 'MMDistributedDataParallel'
    assert cfg.model_wrapper_cfg.device_ids is None
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cfg = load(config, '--launcher', 'pytorch')
    assert 'model_wrapper_cfg' not in cfg
    assert 'env_cfg' not in cfg


@pytest.mark.parametrize(
    ('launcher', 'program'), [('pytorch', 'dist_train.sh'), ('slurm', 'slurm_train.sh')]
)
def test_a_launcher_that_did_not_start_the_process_is_an_error(
    config: str, monkeypatch: pytest.MonkeyPatch, launcher: str, program: str
):
    for variable in ('LOCAL_RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f'--launcher {launcher} .*{program}'):
        load(config, '--launcher', launcher)


def test_threads_are_shared_among_processes(config: str, monkeypatch: pytest.MonkeyPatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(torch, 'set_num_threads', chosen.append)
    monkeypatch.setattr('os.sched_getaffinity', lambda process: set(range(8)))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    load(config)
    assert chosen == []
    monkeypatch.delenv('OMP_NUM_THREADS')
    for processes in ('1', '4', '16'):
        monkeypatch.setenv('LOCAL_WORLD_SIZE', processes)
        load(config)
    assert chosen == [8, 2, 1]


def test_missing_data_ends_the_program_with_one_line(tmp_path: Path):
    words = ['configs/csvr_r3d18-small.py', '--set', 'jhmdb', '--work-dir', str(tmp_path / 'run')]
    program = Process.program('tools/train.py', *words, MMACT_SSL_DATA=str(tmp_path)).wait(1)
    assert 'Traceback' not in program.err
    line = program.err.strip().splitlines()[-1]
    assert line.startswith('error: ') and f'{tmp_path}/jhmdb/' in line
    assert 'mmact-ssl prepare' in line or 'mmact-ssl extract' in line, (
        'names the command that makes it'
    )
    assert not (tmp_path / 'run').exists(), 'no log of what has not begun'


def test_errors_for_users_become_one_line():
    for error, code in (
        (DataError('a: missing'), 'error: a: missing'),
        (FileNotFoundError('a: missing'), 'error: a: missing'),
        (ConfigError('a: missing'), 2),
    ):
        with pytest.raises(SystemExit, match='^error: a: missing$') as end, one_line_errors():
            raise error
        assert end.value.code == code
    worker = DataError(
        'Caught DataError in worker 0.\nTraceback:\n  File x\nDataError: a: missing\n'
    )
    with pytest.raises(SystemExit, match='^error: DataError: a: missing$'), one_line_errors():
        raise worker
    with pytest.raises(SystemExit, match='^error: MMActSSLError$'), one_line_errors():
        raise MMActSSLError


def test_an_interrupt_is_one_word_and_bugs_keep_their_traceback(capsys):
    # A tool inside another one leaves it to that.
    with pytest.raises(SystemExit, match='^130$'), one_line_errors(), one_line_errors('no'):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == 'interrupted: the same command goes on\n'
    with pytest.raises(ZeroDivisionError), one_line_errors():
        _ = 1 / 0
