"""Which options of a command line are refused, and that none is that something reads."""

from __future__ import annotations

import re

import pytest
from mmengine.config import Config

from mmact_ssl.configs.shipped_configs import find_config
from mmact_ssl.engine.config_check import check_config, check_options
from mmact_ssl.engine.launch import parse_cfg_options
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.protocols import PROTOCOLS
from tests.shipped import ROOT, load

VARIABLE = 'is a variable of the config file, which is read only while it loads'


@pytest.mark.parametrize(
    ('option', 'answer'),
    [
        ('vis_backends=[]', f'{VARIABLE}: did you mean visualizer.vis_backends'),
        ('warmup.end=1', f'{VARIABLE}: change the part that is made of it'),
        ('max_epochs=1', 'max_epochs: did you mean train_cfg.max_epochs'),
        ('batch_size=4', 'batch_size: did you mean train_dataloader.batch_size'),
        ('lr=0.1', 'lr: did you mean optim_wrapper.optimizer.lr'),
        ('modell.encode=[clip]', 'modell.encode: did you mean model'),
        ('model.head.pose=None', 'did you mean model.heads?'),
        ('encoder.options.frams=9', 'no such option, did you mean frames?'),
        ('encoder.options.stride=9', 'no such option, there are coordinates, frames, layout'),
        ('encoder.backbone.num_streams=1', 'change model.backbone, which is trained'),
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
        ('gru-steams.py', 'did you mean mmact_ssl::encoders/gru-streams.py?'),
        ('configs/none.py', 'see configs/'),
    ],
)
def test_the_nearest_config_is_named(name, meant, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match=f'^{re.escape(f"{name}: no such config, {meant}")}'):
        find_config(name)


def test_a_key_that_the_config_lacks_may_be_an_option():
    options = ['new.type=Head', 'new.momentum=None']
    options = [f'model.heads.{word}' for word in options] + ['model.backbone.bidirectional=True']
    options += [f'{name.replace("-", "_")}=1' for name in PROTOCOLS]
    check_options(load('ms2l-twoview_gru.py'), parse_cfg_options(options))


@pytest.mark.parametrize('key', ['optim_wraper', 'load_form', 'train_dataloadr'])
def test_a_misspelt_key_of_a_config_is_refused(key):
    with pytest.raises(ConfigError, match=f'^{key}: did you mean'):
        check_config(Config({key: 1, 'frames': 8}))


def test_recomputed_activations_are_refused_in_a_config_file():
    """The option alone would not do: mmengine reads the key of a file."""
    with pytest.raises(ConfigError, match='^activation_checkpointing would count'):
        check_config(Config(dict(activation_checkpointing=['backbone'])))
    with pytest.raises(ConfigError, match=r'^model\.backbone\.with_cp would count'):
        check_config(Config(dict(model=dict(heads={}, backbone=dict(with_cp=True)))))
