"""Shipped configs for tests: parsed, changed as on a command line, built without memory."""

from __future__ import annotations

import argparse
import copy
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from mmengine.config import Config, DictAction

from mmact_ssl.configs.encoder_config import shipped_encoders
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import KindError
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import MODELS

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
# Sets of skeletons.
SKELETON_SETS = sorted(
    path.stem
    for path in (CONFIGS / '_base_/sets').glob('*.py')
    if path.stem.startswith(('msr', 'ntu', 'nwucla', 'pku', 'utk')) or '-skeleton' in path.stem
)
SKELETON_SETS.remove('folder-skeleton')


def with_a_set(stem: str) -> str:
    """Name in tests of a top-level config on a set of its kind."""
    student = stem.split('_')[1]
    if stem.endswith(('_k400', '_demo', '-quick')):
        return f'{stem}.py'
    return f'{stem}.py@{ONE_SET[student]}'


# In tests a config is named with its set, as in 'ms2l_gru.py@pkummd1'; without one it reads its
# default set, or a prepared folder.
ONE_SET = dict.fromkeys(('gru', 'stgcn', 'stt', 'stt-base'), 'nwucla')
ONE_SET |= {'r3d': 'ucf101'} | dict.fromkeys(('r3d18-small', 'tsm-lite0', 'vit-tiny'), 'jhmdb')
TOP_LEVEL = sorted(
    [with_a_set(path.stem) for path in CONFIGS.glob('*.py')]
    + ['csvr_r3d.py@sthv2', 'csvr_r3d18-small.py@utdmhad', 'dtg_r3d18-small.py@utdmhad']
    + ['dtg_r3d18-small.py@demo', 'ms2l-twoview_gru.py@utdmhad-skeleton', 'ms2l_gru.py@pkummd1']
    + ['c2vl_stgcn.py@ntu60-xsub', 'c2vl-frames_stgcn.py@demo-skeleton', 'byol_gru.py@ntu60-xsub']
    + ['dtg_tsm-lite0.py', 'ms2l-twoview_gru.py', 'c2vl_gru.py']
)
SKELETON_ENCODERS = [name for name in shipped_encoders() if name[0] in 'gs']


@cache
def own_folder() -> str:
    """A prepared folder of skeletons for configs without a data set."""
    folder = Path(tempfile.mkdtemp()) / 'own'
    with SkeletonWriter(folder, 'own', 'kinect20', ['one', 'two'], 1) as writer:
        for number in range(4):
            writer.add(f'clip{number}', number % 2, np.ones((1, 9, 20, 3), np.float32))
        writer.finish({'train': ['clip0', 'clip1'], 'test': ['clip2', 'clip3']})
    return str(folder)


@cache
def own_folder_of_videos() -> str:
    """The same lists without skeletons."""
    folder = Path(tempfile.mkdtemp()) / 'own'
    folder.mkdir()
    for path in Path(own_folder()).glob('*.txt'):
        shutil.copy(path, folder)
    return str(folder)


@cache
def parsed(name: str) -> Config:
    path, _, dataset = name.partition('@')
    read = partial(read_config, str(CONFIGS / path), dataset=dataset or None)
    # Some have a set of their own or by default, and need neither --set nor --data.
    if dataset or re.search(r'_k400|_demo|_r3d', name):
        return read()
    try:
        return read(data=own_folder())
    except KindError:
        return read(data=own_folder_of_videos())


def load(name: str, options: Sequence[str] = ()) -> Config:
    """A config with what ``--cfg-options`` give it."""
    config = copy.deepcopy(parsed(name))
    if options:
        parser = argparse.ArgumentParser()
        parser.add_argument('--cfg-options', nargs='+', action=DictAction)
        config.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    return config


def load_evaluation(encoder: str, dataset: str) -> Config:
    """The config of an evaluation of an encoder, as on a command line, on a set."""
    return read_evaluation(encoder, dataset=dataset)[0]


def build(part: Config | dict) -> torch.nn.Module:
    """A model without memory: shapes and names are all there."""
    # mmpretrain's ResNet reads numbers out of a tensor while it is built.
    linspace = partial(torch.linspace, device='cpu')
    with torch.device('meta'), mock.patch('torch.linspace', linspace):
        return MODELS.build(copy.deepcopy(part.get('model', part)))


def loaders(config: Config) -> list[Any]:
    """Data loaders of training and, if there is one, of the test; of several sets, of the first."""
    found = [config[key] for key in ('train_dataloader', 'test_dataloader') if key in config]
    for loader in found:
        loader.dataset = loader.dataset.get('datasets', [loader.dataset])[0]
    return found


def steps(part: Any, *kinds: str) -> Iterator[Any]:
    """Transforms of these types within a pipeline, in the pipelines of views too."""
    if isinstance(part, dict):
        if str(part.get('type')).rpartition('.')[2] in kinds:
            yield part
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for value in part:
            yield from steps(value, *kinds)


def step(loader: Any, kind: str) -> Any:
    """The only transform of a type in a data loader's pipeline."""
    (found,) = steps(loader.dataset.pipeline, kind)
    return found
