"""Encoder configs are read, records of strangers too, and options are put in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from mmact_ssl.configs.encoder_config import (
    FIX,
    SHIPPED,
    fill,
    place_encoder,
    read_encoder,
    read_record,
    shipped_encoders,
)
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import CheckpointError, ConfigError
from tests.shipped import CONFIGS


def test_a_name_a_scope_and_a_path_are_one_config():
    by_name = read_encoder('gru,longest=99')
    assert by_name == read_encoder(f'{SHIPPED}gru.py', dict(longest=99))
    by_path = read_encoder(f'{CONFIGS}/encoders/gru.py,longest=99')
    assert (by_path.source, by_path.clip) == (f'{CONFIGS}/encoders/gru.py', by_name.clip)
    assert by_name.record == dict(config=f'{SHIPPED}gru.py', options=by_name.options)
    assert by_name.options == dict(layout='ntu25', persons=1, coordinates=3, longest=99)
    # Results of another size stand beside the others.
    assert read_encoder('tsm-lite0,side=224').name == 'tsm-lite0-224'


def test_a_given_value_goes_before_the_sets_and_that_before_the_default():
    of_set = dict(layout='kinect20', persons=2, stride=7)  # a GRU has no stride
    options = read_encoder('gru,persons=3', of_set=of_set).options
    assert options == dict(layout='kinect20', persons=3, coordinates=3, longest=300)
    assert read_encoder('gru', dict(persons=4), of_set).options['persons'] == 4


@pytest.mark.parametrize(
    ('text', 'answer'),
    [
        ('gru,side=3', "gru.py: has no option 'side', its options: layout, persons, coord"),
        ('gru,', "has no option ''"),
        ('gru,persons=17', 'persons=17: give a number of 1 to 16'),
        ('gru,longest=' + '9' * 5000, 'give a number of 1 to 100000'),
        ('gru,layout=../x', "layout='../x': give a name"),
        ('gru-streams-common,layout=ntu25', "no option 'layout', its options: frames"),
        ('gruu', 'there is no such encoder, there are gru, gru-streams,'),
        ('gruu.py', 'no such config, did you mean mmact_ssl::encoders/gru.py'),
        (f'{CONFIGS}/_base_/sets/nwucla.py', 'nwucla.py: not the config of an encoder: see'),
    ],
)
def test_what_is_no_encoder_or_option_is_named(text: str, answer: str):
    with pytest.raises(ConfigError, match=answer) as error:
        read_encoder(text)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('line', 'answer'),
    [
        ('encoder = dict(_delete_=True, backbone={}, clip=[])', 'no channels, no finetune, no opt'),
        ("encoder = dict(readout='mean')", "it has 'readout': see"),
        ('encoder = dict(finetune=dict(settings=3))', 'finetune.settings must be a dict'),
        ('encoder = dict(options=dict(side=32.5))', 'side=32.5: give a number'),
        ('encoder = dict(options=dict(stride=True))', 'stride=True: give a number'),
        ("encoder = dict(channels='$width')", r'\$width: the encoder has no such option'),
        ('encoder = dict(channels=wdth)', "NameError: name 'wdth' is not defined: correct it"),
    ],
)
def test_a_mistake_in_an_encoder_of_the_user_is_one_line(line: str, answer: str, tmp_path: Path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = '{CONFIGS}/encoders/r3d18-small.py'\n{line}\n")
    with pytest.raises(ConfigError, match=answer) as error:
        read_encoder(str(path))
    assert '\n' not in str(error.value)


GRU = f'{SHIPPED}gru.py'


def test_only_plain_values_of_shipped_encoders_are_read():
    for name in {*shipped_encoders()} - {'hf-video'}:
        config = read_encoder(name)
        assert read_record(config.record, 'a.pth') == config


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(['layout', 'persons', 'coordinates', 'longest'])


@given(options=st.dictionaries(NAMES | st.text(max_size=9), VALUES, max_size=4))
def test_any_options_are_read_as_plain_values_or_refused(options: dict[str, Any]):
    record = dict(config=GRU, options=options)
    try:
        config = read_record(record, 'a.pth')
    except CheckpointError as error:
        message = str(error)
        assert message.startswith('a.pth: ') and message.endswith(FIX) and message.isprintable()
    else:
        assert {type(value) for value in config.options.values()} <= {int, str}
        assert config.options == {**read_encoder('gru').options, **options}
        assert {*options} <= {'layout', 'persons', 'coordinates', 'longest'}


def test_a_name_is_replaced_where_it_stands_alone():
    part = dict(a='$side', b=['$side', 'x$side', '$side '], c=('$side', dict(d='$side')), e=r'a$')
    filled = dict(a=9, b=[9, 'x$side', '$side '], c=(9, dict(d=9)), e=r'a$')
    assert fill(part, dict(side=9)) == filled
    assert part['a'] == '$side'
    with pytest.raises(ConfigError, match=r'^\$sied: the encoder has no such option, it has side'):
        fill(dict(a=['$sied']), dict(side=9))


def pretraining(**more: Any) -> Config:
    encoder = Config.fromfile(CONFIGS / 'encoders/r3d18-small.py').encoder.to_dict()
    return Config(dict(encoder=encoder, **more))


def test_a_pretraining_has_the_values_of_its_encoder_and_its_set():
    config = pretraining(
        model=dict(mean='$mean', img_size='$side'),
        steps=[dict(stride=('$stride', 1))],
        encoder_options=dict(frames=4, side=48, stride=4, persons=2),
    )
    config.encoder.options.side = 32  # the config's own goes before that of its set
    place_encoder(config, ['encoder.options.frames'])  # and that of the command line
    assert config.encoder.options == dict(frames=8, side=32, stride=4)
    assert config.model == dict(mean=[123.675, 116.28, 103.53], img_size=32)
    assert config.steps == [dict(stride=(4, 1))]
    (sampled,) = (step for step in config.encoder.clip if 'frame_interval' in step)
    assert sampled.frame_interval == 4
    assert config.encoder.finetune.train_cfg.max_epochs == '$finetune_epochs', 'of the set'


def test_a_pretraining_of_a_name_without_value_or_encoder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r'^\$layout: .* it has mean, std, frames, side, stride'):
        place_encoder(pretraining(model=dict(layout='$layout')))
    (tmp_path / 'views.py').write_text("crop = dict(size='$side')")
    with pytest.raises(ConfigError, match=r'^\$side: .* none: inherit one of configs/encoders/'):
        read_config(str(tmp_path / 'views.py'))
    with pytest.raises(ConfigError, match='side=8: give a number of 16 to 512'):
        config = pretraining(encoder_options=dict(side=8))
        place_encoder(config)


def test_a_written_config_follows_no_option(tmp_path):
    config = read_config(str(CONFIGS / 'videomae_vit-tiny.py'))
    config.dump(tmp_path / 'written.py')
    with pytest.raises(ConfigError, match=r'written.py: its views do not follow encoder.options.s'):
        read_config(str(tmp_path / 'written.py'), ['encoder.options.side=96'])
