"""Fitting a config to the command line and the machine."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log

from mmact_ssl.datasets.loading import end_with_parent
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.engine.record import record_training
from mmact_ssl.engine.terminal import quiet_the_screen
from mmact_ssl.errors import ConfigError
from mmact_ssl.io.student_file import RECORD

# Variable that a launcher sets for its processes, and the program that starts it.
LAUNCHERS = {
    'pytorch': ('LOCAL_RANK', 'tools/dist_train.sh CONFIG GPUS or torchrun'),
    'slurm': ('SLURM_PROCID', 'tools/slurm_train.sh or srun'),
}
# Numbers of glibc's mallopt(3).
TRIM_THRESHOLD, MMAP_MAX = -1, -4
# Names of mmengine's own default hooks.
CORE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')


def configure_training(args: argparse.Namespace) -> Config:
    """Configure a run, and apply the options that only ``tools/train.py`` has."""
    cfg = configure_run(args)
    if args.resume == 'auto':
        cfg.resume = 'auto'
    elif args.resume is not None:
        cfg.resume, cfg.load_from = True, args.resume
    if args.seed is not None:
        cfg.merge_from_dict({'randomness.seed': args.seed})
    if args.deterministic:
        cfg.merge_from_dict({'randomness.deterministic': True})
    if args.amp:
        enable_mixed_precision(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ConfigError(
                f'{args.config}: --auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...)'
            )
        cfg.auto_scale_lr.enable = True
    cfg[RECORD] = record_training(cfg)
    return cfg


def configure_run(args: argparse.Namespace) -> Config:
    """Read and check a config, and fit it to the command line and the machine, for a runner.

    Args:
        args: ``config``, ``cfg_options``, ``data`` and ``set`` (see :func:`read_config`),
            ``launcher``, and ``work_dir``, by default the config's or ``work_dirs/<config name>``.

    Raises:
        ConfigError: There is no such config, or an option does not go with it or the machine.
    """
    quiet_the_screen(MMLogger.get_current_instance())  # until the runner builds its own
    cfg = read_config(args.config, args.cfg_options, args.data, args.set)
    # For None mmengine switches off a default hook of its own, and fails for any other.
    hooks = cfg.get('default_hooks') or {}
    for name in [n for n, hook in hooks.items() if hook is None and n not in CORE_HOOKS]:
        del hooks[name]
    of_data = f'_{cfg.dataset_name}' if args.data is not None or args.set is not None else ''
    named = f'work_dirs/{Path(cfg.filename).stem}{of_data}'
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or named
    cfg.launcher = args.launcher
    if args.launcher in LAUNCHERS:
        join_launcher(args.launcher)
    if not torch.cuda.is_available():
        fit_to_cpu(cfg)
    return cfg


def join_launcher(launcher: str) -> None:
    """Check that a launcher has started this process; under torchrun, end when torchrun ends."""
    variable, program = LAUNCHERS[launcher]
    if variable not in os.environ:
        raise ConfigError(
            f'--launcher {launcher} is for processes that a launcher starts, by {program}: leave '
            'it out for one process'
        )
    if launcher == 'pytorch':
        end_with_parent()  # or ranks train on when torchrun is killed


def fit_to_cpu(cfg: Config) -> None:
    """Choose memory, threads, the communication backend and the model wrapper for a CPU.

    ``sync_bn`` is dropped with a warning: torch synchronizes batch statistics only on GPUs.
    """
    keep_freed_memory()
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if 'OMP_NUM_THREADS' not in os.environ:
        # More threads than cores cost seconds a step instead of milliseconds.
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // processes))
    if cfg.launcher == 'none':
        return
    if cfg.pop('sync_bn', None):
        print_log(
            'sync_bn is for GPUs: each process normalizes by the statistics of its own samples',
            'current',
            logging.WARNING,
        )
    cfg.model_wrapper_cfg = {
        'type': 'MMDistributedDataParallel',
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
        'broadcast_buffers': False,
        **cfg.get('model_wrapper_cfg', {}),
        # DistributedDataParallel refuses device numbers on CPU, mmengine passes one by default.
        'device_ids': None,
    }
    cfg.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})


def keep_freed_memory() -> None:
    """Make glibc keep freed memory instead of returning it to the system.

    A step on a CPU frees its activations and allocates as much again; each returned page costs a
    page fault.
    """
    glibc = ctypes.CDLL(None)
    glibc.mallopt(MMAP_MAX, 0)
    glibc.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def enable_mixed_precision(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision."""
    if not torch.cuda.is_available():
        raise ConfigError('--amp needs a GPU and torch sees none: train without it')
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ConfigError(f'--amp cannot be combined with optim_wrapper.type={wrapper}')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
