"""The text of a config says what yapf's says, in lines that can be read."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.config import config as mmengine_config

from mmact_ssl.compat import CONFIGS
from mmact_ssl.engine.config_text import WIDTH, format_config

NAMES = st.text('abcdefghij_', min_size=1, max_size=12).map(lambda name: f'x{name}')
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=60)
)
VALUES = st.recursive(
    LEAVES,
    lambda part: (
        st.lists(part, max_size=6)
        | st.lists(part, max_size=6).map(tuple)
        | st.dictionaries(NAMES, part, max_size=6)
        | st.dictionaries(st.integers(0, 9), part, max_size=3)
    ),
    max_leaves=30,
)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
@settings(deadline=None)
def test_the_text_means_the_same(values):
    text = '\n'.join(f'{name} = {value!r}' for name, value in values.items())
    formatted, _ = format_config(text)
    assert ast.dump(ast.parse(formatted)) == ast.dump(ast.parse(text))
    assert format_config(formatted)[0] == formatted


def test_what_is_long_has_a_line_for_each_part():
    steps = [dict(type='Resize', scale=(112, 112)), dict(type='Flip')]
    name = 'a' * 60
    text, _ = format_config(f'short = {steps}\npipeline = dict(steps={steps}, name={name!r})')
    assert text.splitlines() == [
        "short = [{'type': 'Resize', 'scale': (112, 112)}, {'type': 'Flip'}]",
        'pipeline = dict(',
        "    steps=[{'type': 'Resize', 'scale': (112, 112)}, {'type': 'Flip'}],",
        f"    name='{name}',",
        ')',
    ]


@pytest.mark.parametrize('name', ['csvr_r3d_k400.py', 'ms2l-c2vl_gru_nwucla.py'])
def test_a_shipped_config_reads_the_same_from_its_text(name, monkeypatch, tmp_path):
    monkeypatch.setattr(mmengine_config, 'FormatCode', format_config)
    config = Config.fromfile(CONFIGS / name)
    file = tmp_path / 'config.py'
    config.dump(file)
    assert Config.fromfile(file).to_dict() == config.to_dict()
    text = file.read_text()
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.count('\n') < 500  # yapf has 600 for the first


def test_text_that_is_no_config_is_refused(monkeypatch):
    monkeypatch.setattr(mmengine_config, 'FormatCode', format_config)
    with pytest.raises(SyntaxError, match='Failed to format'):
        str(Config(dict(model=object())).pretty_text)
