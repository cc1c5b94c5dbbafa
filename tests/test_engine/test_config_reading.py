"""Reading a config with the command line's options; which options are refused."""

from __future__ import annotations

import copy
import re

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config

from mmact_ssl.configs.shipped_configs import CONFIGS, find_config
from mmact_ssl.engine.config_reading import (
    check_config,
    check_options,
    parse_cfg_options,
    read_config,
)
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


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('/my models/a.pth', '/my models/a.pth'),
        ('"/a, b/(1)/x.pth"', '/a, b/(1)/x.pth'),
        ('"5"', '5'),
        ('[a, (1, 2)]', ['a', (1, 2)]),
        ('a=b', 'a=b'),
    ],
)
def test_a_text_on_the_command_line_stays_as_it_is(text, value):
    assert parse_cfg_options([f'model.key={text}']) == {'model.key': value}


@pytest.mark.parametrize('name', ['csvr_r3d_k400.py', 'csvr_r3d_demo.py'])
def test_the_text_of_a_config_needs_no_yapf_and_reads_the_same(name, monkeypatch, tmp_path):
    monkeypatch.setattr(mmengine_config, 'FormatCode', None)
    config = copy.deepcopy(read_config(str(CONFIGS / name)))  # as runners do
    config.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == config.to_dict()


def test_an_import_of_the_config_that_fails_is_named(tmp_path, monkeypatch):
    config = tmp_path / 'mine.py'
    config.write_text("custom_imports = dict(imports=['arrow_of_time'])\n")
    with pytest.raises(ConfigError, match=r"mine\.py: No module named 'arrow_of_time': correct"):
        read_config(str(config))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'arrow_of_time.py').write_text('from json import arrows\n')
    with pytest.raises(ConfigError, match=r"mine\.py: cannot import name 'arrows' from 'json'"):
        read_config(str(config))


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('x = _base_.augmnet', r"AttributeError: 'ConfigDict' object has no attribute 'augmnet'"),
        ("x = _base_.warmup['ennd']", "'ennd' is missing"),
        ('x = wrmup', "NameError: name 'wrmup' is not defined"),
        ('x = [1][2]', 'IndexError: list index out of range'),
        ('x = (', r"SyntaxError: '\(' was never closed"),
    ],
)
def test_a_config_that_fails_while_it_is_read_is_named(tmp_path, line, message):
    """Each would be a traceback otherwise, as if it were a bug of the package."""
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = '{CONFIGS}/_base_/schedules/pretrain_adamw.py'\n{line}\n")
    with pytest.raises(ConfigError, match=rf'mine\.py: {message}.*: correct it, .*_TRACEBACK=1'):
        read_config(str(config))
