"""Reading a config with the command line's options."""

from __future__ import annotations

from argparse import Namespace

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
