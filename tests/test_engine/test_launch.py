"""Reading a config with the command line's options."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from argparse import Namespace

import pytest

from mmact_ssl.engine.launch import load_config


def test_any_default_hook_is_switched_off_by_none(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        "default_hooks = dict(timer=dict(type='IterTimerHook'), "
        "momentum=dict(type='MomentumCopyHook'), seeds=dict(type='SeedByProgressHook'))"
    )
    off = ['default_hooks.momentum=None', 'default_hooks.timer=None']
    args = Namespace(config=str(path), cfg_options=off, launcher='none', work_dir=str(tmp_path))
    # mmengine itself takes its own hook out.
    hooks = load_config(args).default_hooks
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


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), 'mallopt'), reason='the C library is not glibc')
def test_a_step_finds_the_memory_that_the_last_one_freed():
    """Without it every page of every step comes from the system anew."""
    plain, kept = (
        int(subprocess.check_output([sys.executable, '-c', COUNT_FAULTS, *word], timeout=120))
        for word in ([], ['keep'])
    )
    assert kept < plain / 10
