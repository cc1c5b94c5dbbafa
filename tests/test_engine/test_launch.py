"""Reading a config with the command line's options."""

from __future__ import annotations

import copy
import os

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config

from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.datasets.prepared_folder import FOLDER_VARIABLE
from mmact_ssl.engine.launch import configure_training, parse_cfg_options, read_config
from mmact_ssl.errors import ConfigError
from tests.helpers.processes import Process
from tools.train import parse_args


def test_any_default_hook_is_switched_off_by_none(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        "default_hooks = dict(timer=dict(type='IterTimerHook'), "
        "momentum=dict(type='MomentumCopyHook'), seeds=dict(type='SeedByProgressHook'))"
    )
    off = ['default_hooks.momentum=None', 'default_hooks.timer=None']
    # mmengine itself takes its own hook out.
    hooks = configure_training(parse_args([str(path), '--cfg-options', *off])).default_hooks
    assert dict(hooks) == dict(timer=None, seeds=dict(type='SeedByProgressHook'))


COUNT_FAULTS = """
import resource, sys
import numpy as np
from mmact_ssl.engine.launch import keep_freed_memory
if sys.argv[1:]:
    keep_freed_memory()
for step in range(24):
    if step == 4:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(size) for size in (2**23, 2**22, 2**18)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_a_step_finds_the_memory_that_the_last_one_freed():
    """Without it every page of every step comes from the system anew."""
    plain, kept = (
        int(Process.program('-c', COUNT_FAULTS, *word).wait().out) for word in ([], ['keep'])
    )
    assert kept < plain / 10


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('/my models/a.pth', '/my models/a.pth'),
        ('"/a, b/(1)/x.pth"', '/a, b/(1)/x.pth'),
        ('"5"', '5'),
        ('[a, (1, 2)]', ['a', (1, 2)]),
        ('a=b', 'a=b'),
    ],
)
def test_a_text_on_the_command_line_stays_as_it_is(text, value):
    assert parse_cfg_options([f'model.key={text}']) == {'model.key': value}


@pytest.mark.parametrize('name', ['csvr_r3d_k400.py', 'csvr_r3d_demo.py'])
def test_the_text_of_a_config_needs_no_yapf_and_reads_the_same(name, monkeypatch, tmp_path):
    monkeypatch.setattr(mmengine_config, 'FormatCode', None)
    config = copy.deepcopy(read_config(str(CONFIGS / name)))  # as runners do
    config.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == config.to_dict()


def test_the_work_dir_of_a_folder_has_its_name(tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/train.txt').write_text('a.mp4\nb.mp4\n')
    args = ['mmact_ssl::dtg_tsm-lite0.py', f'--data={tmp_path / "mine"}']
    cfg = configure_training(parse_args(args))
    assert cfg.work_dir == 'work_dirs/dtg_tsm-lite0_mine'
    assert cfg.train_dataloader.dataset.ann_file == str(tmp_path / 'mine/train.txt')
    assert cfg.train_cfg.max_epochs == 4 * 675 // 2
    assert FOLDER_VARIABLE not in os.environ


def test_an_import_of_the_config_that_fails_is_named(tmp_path, monkeypatch):
    config = tmp_path / 'mine.py'
    config.write_text("custom_imports = dict(imports=['arrow_of_time'])\n")
    with pytest.raises(ConfigError, match=r"mine\.py: No module named 'arrow_of_time': correct"):
        read_config(str(config))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'arrow_of_time.py').write_text('from json import arrows\n')
    with pytest.raises(ConfigError, match=r"mine\.py: cannot import name 'arrows' from 'json'"):
        read_config(str(config))


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('x = _base_.augmnet', r"AttributeError: 'ConfigDict' object has no attribute 'augmnet'"),
        ("x = _base_.warmup['ennd']", "'ennd' is missing"),
        ('x = wrmup', "NameError: name 'wrmup' is not defined"),
        ('x = [1][2]', 'IndexError: list index out of range'),
        ('x = (', r"SyntaxError: '\(' was never closed"),
    ],
)
def test_a_config_that_fails_while_it_is_read_is_named(tmp_path, line, message):
    """Each would be a traceback otherwise, as if it were a bug of the package."""
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = '{CONFIGS}/_base_/schedules/pretrain_adamw.py'\n{line}\n")
    with pytest.raises(ConfigError, match=rf'mine\.py: {message}.*: correct it, .*_TRACEBACK=1'):
        read_config(str(config))
