"""Fitting a config to the command line and the machine."""

from __future__ import annotations

import os

from mmact_ssl.datasets.prepared_folder import FOLDER_VARIABLE
from mmact_ssl.engine.launch import configure_training
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


def test_the_work_dir_of_a_folder_has_its_name(tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/train.txt').write_text('a.mp4\nb.mp4\n')
    args = ['mmact_ssl::dtg_tsm-lite0.py', f'--data={tmp_path / "mine"}']
    cfg = configure_training(parse_args(args))
    assert cfg.work_dir == 'work_dirs/dtg_tsm-lite0_mine'
    assert cfg.train_dataloader.dataset.ann_file == str(tmp_path / 'mine/train.txt')
    assert cfg.train_cfg.max_epochs == 4 * 675 // 2
    assert FOLDER_VARIABLE not in os.environ
