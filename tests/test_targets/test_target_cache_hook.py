"""A checkpoint knows whose targets it was trained under, and refuses others."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from mmengine.config import Config

from mmact_ssl.registry import HOOKS
from mmact_ssl.targets import TargetCacheHook
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter


def write(folder: Path, name: str, teacher: str) -> str:
    """An empty cache of part maps; its path."""
    meta = TargetMeta('map', 'person', f'hash of {teacher}', source=teacher)
    with TargetWriter(folder / name, meta):
        return str(folder / name)


def make_runner(train: list[str], test: list[str], resume: bool = False) -> SimpleNamespace:
    """A runner whose pipelines read these caches."""

    def loader(paths: list[str]) -> dict:
        steps = [dict(type='LoadTargets', target='parts', cache=path) for path in paths]
        return dict(dataset=dict(ann_file='x.txt', pipeline=[dict(type='SampleViews'), *steps]))

    cfg = Config(dict(train_dataloader=loader(train), test_dataloader=loader(test)))
    return SimpleNamespace(cfg=cfg, logger=logging.getLogger('hook'), _resume=resume)


def saved(train: list[str], test: list[str]) -> dict:
    """The checkpoint of a training under these caches."""
    hook, runner = HOOKS.build(dict(type='TargetCacheHook')), make_runner(train, test)
    hook.before_train(runner)
    checkpoint: dict = dict(meta={})
    hook.before_save_checkpoint(runner, checkpoint)
    return checkpoint


def go_on(checkpoint: dict, train: str, test: str) -> None:
    """Resume, and test."""
    hook = TargetCacheHook()
    for stage in (hook.before_train, hook.before_test):
        runner = make_runner([train], [test], resume=True)
        hook.after_load_checkpoint(runner, checkpoint)
        stage(runner)


@pytest.fixture
def caches(tmp_path: Path) -> dict[str, str]:
    """Caches of teachers a (two of them), b and c."""
    return {name: write(tmp_path, f'{name}.lmdb', name[0]) for name in ('a', 'a2', 'b', 'c')}


def test_it_is_said_and_saved_whose_targets_they_are(caches, caplog):
    with caplog.at_level(logging.INFO):
        checkpoint = saved([caches['a']], [caches['b']])
    assert checkpoint['meta']['target_caches'] == dict(
        train=dict(parts={'hash of a': 'a'}), test=dict(parts={'hash of b': 'b'})
    )
    assert "cached 'parts' are of a (hash of a)" in caplog.text


def test_the_same_teachers_are_accepted_wherever_their_caches_lie(caches):
    go_on(saved([caches['a']], [caches['b']]), caches['a2'], caches['b'])
    go_on(saved([caches['a']], [caches['b']]), caches['a'], caches['a2'])
    go_on(saved([caches['a'], caches['b']], []), caches['b'], caches['a'])


@pytest.mark.parametrize(('train', 'test'), [('b', 'a'), ('a', 'c')])
def test_another_teacher_is_refused(caches, train, test):
    checkpoint = saved([caches['a']], [caches['a2']])
    message = (
        f"'parts' is of {max(train, test)} .hash of .., the checkpoint was trained under a .hash"
        '.*LoadTargets.*load_from'
    )
    with pytest.raises(TargetCacheError, match=message):
        go_on(checkpoint, caches[train], caches[test])


def write_sentences(path: Path, source: str) -> str:
    """A cache of one sentence; its path."""
    meta = TargetMeta('text', '', 'hash of an encoder', source='encoder')
    with TargetWriter(path, meta, overwrite=True) as writer:
        writer.put('a', np.ones((1, 3), np.float32), source)
    return str(path)


def test_changed_sentences_are_told_when_a_run_goes_on(tmp_path: Path, monkeypatch):
    told = Mock()
    monkeypatch.setattr('mmact_ssl.targets.target_cache_hook.print_log', told)
    for source in ('hash of a sentence', 'of another one'):
        path = write_sentences(tmp_path / 'prompts.lmdb', source)
        if source == 'hash of a sentence':
            checkpoint = saved([path], [path])
            go_on(checkpoint, path, path)
            told.assert_not_called()
    go_on(checkpoint, path, path)
    assert re.search(r"'parts': is encoder on sentences \w{8}, was e", told.call_args.args[0])


def test_weights_of_other_targets_and_checkpoints_without_a_record_are_accepted(caches):
    hook, runner = TargetCacheHook(), make_runner([caches['b']], [])
    hook.after_load_checkpoint(runner, saved([caches['a']], []))
    hook.before_train(runner)
    go_on(dict(meta=dict(epoch=1)), caches['a'], caches['b'])


@pytest.mark.parametrize(('score', 'levels'), [(0.2, ['WARNING']), (0.5, [])])
def test_doubtful_poses_are_said_before_training(score, levels, tmp_path: Path, caplog):
    path = str(tmp_path / 'pose.lmdb')
    with TargetWriter(path, TargetMeta('pose', 'coco17', 'f')) as writer:
        for key in 'abc':
            writer.put(key, np.full((5, 17, 3), score, np.float32))
    HOOKS.build(dict(type='TargetCacheHook')).before_train(make_runner([path], []))
    said = f'{path}: the mean score of the poses is {score:.2f}'
    assert [r.levelname for r in caplog.records if r.message.startswith(said)] == levels
