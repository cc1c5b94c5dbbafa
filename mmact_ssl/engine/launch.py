"""Reading a config, and fitting it to the command line and the machine."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger, print_log

from mmact_ssl.configs.encoder_config import place_encoder
from mmact_ssl.configs.shipped_configs import SET_VARIABLE, find_set, load_config
from mmact_ssl.datasets.loading import end_with_parent
from mmact_ssl.datasets.prepared_folder import FOLDER_VARIABLE
from mmact_ssl.datasets.skeleton_folder import META
from mmact_ssl.engine.config_check import check_config, check_options, check_values
from mmact_ssl.engine.record import record_training
from mmact_ssl.engine.terminal import log_once, quiet_the_screen
from mmact_ssl.errors import ConfigError, KindError
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
    check_config(cfg)
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


def read_config(
    path: str,
    options: Sequence[str] | None = None,
    data: str | None = None,
    dataset: str | None = None,
) -> Config:
    """Read a config and apply options, see :func:`parse_cfg_options`.

    Args:
        path: Of the config, see :func:`find_config`.
        options: Words of ``--cfg-options``.
        data: Prepared folder, for configs that name no data set.
        dataset: Name or path of a set (``--set``), for such configs, in place of a folder.

    Raises:
        KindError: The config reads videos and the data are skeletons, or the other way round.
    """
    if data is not None and dataset is not None:
        raise ConfigError('--data and --set both name what is read: give one of them')
    with data_environment(data, dataset):
        cfg = load_config(path)
    takes_data = 'own_folder' in cfg or (data is None and SET_VARIABLE in cfg.env_variables)
    if (data, dataset) != (None, None) and not takes_data:
        raise ConfigError(
            f'{path} names its own data set: leave --{"set" if data is None else "data"} out, or '
            'take a config that names none, such as configs/dtg_tsm-lite0.py'
        )
    if why := cfg.get('own_folder', {}).get('no_flip'):
        log_once(f'{data}: {why}')
    loader = cfg.get('train_dataloader') or {}
    if 'batch_size' in loader and 'auto_scale_lr' not in cfg:  # the rate is for the file's batch
        steps = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
        cfg.auto_scale_lr = dict(base_batch_size=steps * loader['batch_size'])
    changes: dict[str, Any] = {}
    if options:
        changes = parse_cfg_options(options)
        check_options(cfg, changes)
        cfg.merge_from_dict(changes)
    check_values(cfg)
    place_encoder(cfg, changes)
    training = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    holds = 'skeletons' if 'skeleton' in training.get('data_prefix', {}) else 'videos'
    reads = 'skeletons' if 'Skeleton' in str(training.get('type')) else 'videos'
    if 'data_prefix' in training and reads != holds:
        raise KindError(
            f'{data or dataset} holds {holds}, and {cfg.filename} reads {reads}: take a '
            'config for videos, such as configs/dtg_tsm-lite0.py, or for skeletons, such as '
            'configs/ms2l-twoview_gru.py'
        )
    # yapf takes a second or more, four times before the first step and for each checkpoint.
    # fromfile drops mmengine's own argument against it.
    object.__setattr__(cfg, '_format_python_code', False)
    return cfg


@contextmanager
def data_environment(folder: str | None, dataset: str | None = None) -> Iterator[None]:
    """Set the environment variables by which configs read a data set; None leaves one unchanged.

    Args:
        folder: A prepared folder, for ``folder.py`` or ``folder-skeleton.py`` of the sets.
        dataset: Name or path of a set, see :func:`find_set`; it goes before ``folder``.
    """
    if not dataset and folder:
        dataset = 'folder-skeleton' if Path(folder, META).is_file() else 'folder'
    variables = {} if folder is None else {FOLDER_VARIABLE: folder}
    if dataset:
        variables[SET_VARIABLE] = find_set(dataset)
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def parse_cfg_options(words: Sequence[str] | None) -> dict[str, Any]:
    """Read the words of ``--cfg-options``, ``['train_cfg.max_epochs=5', ...]``.

    Values are read as by mmengine, but a text keeps its blanks, and one in quotes also its commas
    and brackets. Programs pass the words unparsed: importing DictAction takes seconds, too long for
    ``--help``.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('options', nargs='+', action=DictAction)
    options: dict[str, Any] = {}
    for word in words or ():
        key, is_option, text = word.partition('=')
        if not is_option:
            raise ConfigError(f'--cfg-options {word}: write KEY=VALUE')
        if text[:1] in ('"', "'") and text[1:].endswith(text[0]):
            options[key] = text[1:-1]
            continue
        value = parser.parse_args(['--', word]).options[key]
        options[key] = text if isinstance(value, str) else value  # mmengine takes out blanks
    return options


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
