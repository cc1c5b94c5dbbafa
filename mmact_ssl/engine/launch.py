"""Fit a config to the machine that runs it."""

from __future__ import annotations

import os

import torch
from mmengine.config import Config

from mmact_ssl.errors import ConfigError


def enable_mixed_precision(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision with a dynamic loss scale.

    A constructor with several optimizers reads the same two keys for all of them.

    Raises:
        ConfigError: There is no GPU, or the config uses a wrapper of its own.
    """
    if not torch.cuda.is_available():
        raise ConfigError('--amp needs a GPU and torch sees none: train without it')
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ConfigError(f'--amp cannot be combined with optim_wrapper.type={wrapper}')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def fit_to_cpu(cfg: Config) -> None:
    """Choose threads, the communication backend and the model wrapper for a CPU."""
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    if 'OMP_NUM_THREADS' not in os.environ:
        # More threads than cores cost seconds a step instead of milliseconds.
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // processes))
    if cfg.launcher == 'none':
        return
    cfg.setdefault('env_cfg', {})
    cfg.env_cfg.setdefault('dist_cfg', {})
    cfg.env_cfg.dist_cfg.backend = 'gloo'
    # DistributedDataParallel refuses device numbers on CPU, and mmengine passes one by default.
    cfg.setdefault('model_wrapper_cfg', {})
    cfg.model_wrapper_cfg.setdefault('type', 'MMDistributedDataParallel')
    cfg.model_wrapper_cfg.setdefault(
        'find_unused_parameters', cfg.get('find_unused_parameters', False)
    )
    cfg.model_wrapper_cfg.setdefault('broadcast_buffers', False)
    cfg.model_wrapper_cfg.device_ids = None
