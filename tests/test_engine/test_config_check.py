"""Which options of a command line are refused, and that none is that something reads."""

from __future__ import annotations

import re

import pytest
from mmengine.config import Config

from mmact_ssl.engine.config_check import READ, check_config, check_options
from mmact_ssl.engine.launch import parse_cfg_options
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.shipped_configs import find_config
from tests.shipped import ROOT, load

VARIABLE = 'is a variable of the config file, which is read only while it loads'


@pytest.mark.parametrize(
    ('option', 'answer'),
    [
        ('epochs=1', f'{VARIABLE}: did you mean train_cfg.max_epochs'),
        ('warmup.end=1', f'{VARIABLE}: change the part that is made of it'),
        ('max_epochs=1', 'max_epochs: did you mean train_cfg.max_epochs'),
        ('batch_size=4', 'batch_size: did you mean train_dataloader.batch_size'),
        ('lr=0.1', 'lr: did you mean optim_wrapper.optimizer.lr'),
        ('modell.encode=[clip]', 'modell.encode: did you mean model'),
    ],
)
def test_an_option_that_nothing_reads_is_refused(option, answer):
    with pytest.raises(ConfigError, match=f'^--cfg-options .*{re.escape(answer)}'):
        check_options(load('ms2l-twoview_gru.py'), parse_cfg_options([option]))


@pytest.mark.parametrize(
    ('name', 'meant'),
    [
        ('configs/csvr_r3d_k40.py', 'did you mean configs/csvr_r3d_k400.py?'),
        ('configs/csvr_r3d_k400', 'did you mean configs/csvr_r3d_k400.py?'),
        ('mmact_ssl::csvr_r3d_k40.py', 'did you mean mmact_ssl::csvr_r3d_k400.py?'),
        ('gru-steams.py', 'did you mean mmact_ssl::downstream/gru-streams.py?'),
        ('configs/none.py', 'see configs/'),
        (
            'configs/downstream/finetune_gru_nwucla.py',
            'it is now configs/downstream/gru.py, with --set nwucla',
        ),
        ('configs/c2vl_stgcn_pkummd1.py', 'it is now configs/c2vl_stgcn.py, with --set pkummd1'),
    ],
)
def test_the_nearest_config_is_named(name, meant, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match=f'^{re.escape(f"{name}: no such config, {meant}")}'):
        find_config(name)


def test_a_config_names_no_home_folder():
    """Programs expand it in their own words alone."""
    cfg = load('ms2l_gru_nwucla.py')
    cfg.train_dataloader.dataset.ann_file = '~/train.txt'
    with pytest.raises(ConfigError, match='dataset.ann_file=~/train.txt: ~ is not expanded'):
        check_config(cfg)


@pytest.mark.parametrize('place', ['pipeline', 'pipeline.0.views.clip'])
def test_a_transform_is_suggested_for_a_transform(place):
    cfg = load('ms2l_gru_nwucla.py')
    key = f'train_dataloader.dataset.{place}'
    cfg.merge_from_dict({f'{key}.0.type': 'SkeletonData'})
    with pytest.raises(ConfigError, match=rf'^{key}\.0\.type=.*, did you mean SkeletonFlip\?'):
        check_config(cfg)


@pytest.mark.parametrize(('view', 'meant'), [('turned', ', t'), ('clip_c', r', did .* clip_b\? T')])
def test_the_names_of_views_are_listed(view, meant):
    cfg = load('csvr_r3d_jhmdb.py')
    cfg.train_dataloader.dataset.pipeline[0][view] = dict(num_frames=2)
    with pytest.raises(ConfigError, match=f'{meant}here are clip, clip_b, .*future, keyframes'):
        check_config(cfg)


def test_settings_of_protocols_are_read():
    options = [f'{name.replace("-", "_")}=1' for name in PROTOCOLS]
    check_options(Config(), parse_cfg_options(options))


def test_whatever_the_code_reads_of_a_config_may_be_an_option():
    # Of a Config itself, a hint of the kind of data, and of an optimizer wrapper's config.
    own = {*dir(Config), *dir(dict), 'filename', 'train_set', 'paramwise_cfg'}
    for folder in ('mmact_ssl', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            text = path.read_text(encoding='utf-8')
            names = re.findall(r"\bcfg\.(?:get\('(?=\w)|(?!get\())(\w+)", text)
            names += re.findall(r"'(\w+)' (?:not )?in cfg\b(?!\.)", text)
            assert {*names} - own <= READ, path
