"""The text of a config says what yapf's says, in lines that can be read."""

from __future__ import annotations

import ast
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from yapf.yapflib.yapf_api import FormatCode

from mmact_ssl.compat import CONFIGS
from mmact_ssl.engine.config_text import WIDTH, format_config

# Words of Python, and names that are none, beside usual ones.
NAMES = st.sampled_from(['True', 'None', 'async', 'a-b', '']) | st.text(
    'abcdefghij_', min_size=1, max_size=12
).map(lambda name: f'x{name}')
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
        | st.dictionaries(st.integers(0, 9) | st.booleans(), part, max_size=3)
    ),
    max_leaves=20,
)


def text_of(config, formatter):
    """The text that mmengine makes of a config with this formatter."""
    with mock.patch.object(mmengine_config, 'FormatCode', formatter):
        return config.pretty_text


@given(st.dictionaries(st.sampled_from(['model', 'steps', 'x']), VALUES, min_size=1))
@settings(deadline=None, max_examples=50)
def test_the_text_means_what_that_of_yapf_means(values):
    config = Config(values)
    ours, yapf = (text_of(config, formatter) for formatter in (format_config, FormatCode))
    try:
        wanted = ast.dump(ast.parse(yapf))
    except SyntaxError:  # mmengine writes {True: 1} as dict(True=1)
        assert ours == yapf
    else:
        assert ast.dump(ast.parse(ours)) == wanted
        assert format_config(ours)[0] == ours


def test_what_python_cannot_parse_is_left_to_yapf():
    config = Config(dict(names={True: 'yes', False: 'no'}))
    assert text_of(config, format_config) == text_of(config, FormatCode)
    with pytest.raises(SyntaxError, match='Failed to format'):
        text_of(Config(dict(model=object())), format_config)


@pytest.mark.parametrize('value', ['(lambda a: a)({0})', '{{**({0} or b)}}', '({0} + b)(1)'])
def test_other_expressions_stay_as_they_are(value):
    text = 'x = ' + value.format('a' * WIDTH)
    assert ast.dump(ast.parse(format_config(text)[0])) == ast.dump(ast.parse(text))


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
