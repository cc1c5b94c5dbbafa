"""An ONNX file is data: what leads out of it, or is not a published model, is refused."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.apis import embed, load_model
from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.apis.publish import make_card
from mmact_ssl.checkpoint_file import CARD_KEY
from mmact_ssl.errors import CheckpointError, ConfigError
from tests.test_apis.conftest import KNOWN

onnx = pytest.importorskip('onnx', reason="pip install 'mmact_ssl[onnx]'")
pytest.importorskip('onnxruntime', reason="pip install 'mmact_ssl[onnx]'")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def tiny(card: str | None) -> onnx.ModelProto:
    """A graph whose features are the mean of the inputs, times 0, 1, ... 15."""
    factors = numpy_helper.from_array(np.arange(16, dtype=np.float32), 'factors')
    nodes = [
        helper.make_node('ReduceMean', ['inputs'], ['mean'], axes=[1, 2, 3, 4, 5], keepdims=0),
        helper.make_node('Unsqueeze', ['mean', 'axis'], ['column']),
        helper.make_node('Mul', ['column', 'factors'], ['features']),
    ]
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('inputs', TensorProto.FLOAT, ['B', 'N', 1, 'T', 20, 3])],
        [helper.make_tensor_value_info('features', TensorProto.FLOAT, ['B', None])],
        [factors, numpy_helper.from_array(np.array([1]), 'axis')],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    if card is not None:
        helper.set_model_props(model, {CARD_KEY: card})
    return model


@pytest.fixture
def card(skeleton_config):
    return make_card(skeleton_config, **KNOWN)


def write(model: onnx.ModelProto, folder: Path) -> str:
    path = folder / 'model.onnx'
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_the_pipeline_of_the_card_is_used(card, tmp_path):
    path = write(tiny(card.to_json()), tmp_path)
    clip = np.random.default_rng(0).normal(size=(1, 7, 20, 3)).astype(np.float32)
    np.testing.assert_allclose(embed(path, clip), clip.mean() * np.arange(16), rtol=1e-4, atol=1e-6)
    inferencer = FeatureInferencer(path, show_progress=False)
    assert inferencer.pretrained.card == card
    assert inferencer([clip, clip])['features'].shape == (2, 16)
    with pytest.raises(
        ConfigError, match=r'model\.onnx: an ONNX file runs on the CPU, not on meta'
    ):
        inferencer.pretrained.to('meta')


def external_weights(model):
    factors = model.graph.initializer[0]
    factors.ClearField('raw_data')
    factors.data_location = TensorProto.EXTERNAL
    factors.external_data.add(key='location', value='secret.bin')


def external_constant(model):
    value = TensorProto(dims=[16], data_type=TensorProto.FLOAT)
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key='location', value='secret.bin')
    model.graph.initializer.pop(0)
    model.graph.node.insert(0, helper.make_node('Constant', [], ['factors'], value=value))


def external_sparse(model):
    external_weights(model)
    values = model.graph.initializer.pop(0)
    model.graph.sparse_initializer.add(values=values, dims=[16])


def other_domain(model):
    model.graph.node[0].domain = 'com.microsoft'
    model.graph.node[0].op_type = 'EPContext'
    model.opset_import.append(helper.make_opsetid('com.microsoft', 1))


def inner_graph(model):
    inner = helper.make_graph([], 'inner', [], [])
    model.graph.node.append(helper.make_node('Loop', ['', ''], ['x'], body=inner))


def functions(model):
    node = helper.make_node('Identity', ['a'], ['b'])
    opset = [helper.make_opsetid('', 17)]
    model.functions.append(helper.make_function('', 'F', ['a'], ['b'], [node], opset))


def training(model):
    model.training_info.add()


def other_output(model):
    model.graph.output[0].name = 'column'


def unknown_operator(model):
    model.graph.node[2].op_type = 'Steal'


REFUSED = [
    (external_weights, 'its weights lie in another file'),
    (external_constant, 'its weights lie in another file'),
    (external_sparse, 'its weights lie in another file'),
    (other_domain, "the operator 'EPContext' is not of ONNX"),
    (inner_graph, "'Loop' holds a graph of its own"),
    (functions, 'it holds more than one graph'),
    (training, 'it holds more than one graph'),
    (other_output, "its graph does not turn 'inputs' into 'features'"),
    (unknown_operator, 'Steal'),
]


@pytest.mark.parametrize(('change', 'answer'), REFUSED, ids=[row[0].__name__ for row in REFUSED])
def test_what_leads_out_of_the_file_is_refused(change, answer, card, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path('secret.bin').write_bytes(np.arange(16, dtype=np.float32).tobytes())
    model = tiny(card.to_json())
    change(model)
    with pytest.raises(CheckpointError, match=answer) as error:
        load_model(write(model, tmp_path))
    assert str(error.value).startswith(f'{tmp_path}/model.onnx: ')
    assert '\n' not in str(error.value) and ''.join(capfd.readouterr()) == ''


def test_a_forged_card_is_refused(card, tmp_path):
    """As that of a safetensors file, see test_model.py."""
    values = dict(backbone=dict(type='os.system'))
    path = write(tiny(json.dumps({**asdict(card), **values})), tmp_path)
    with pytest.raises(CheckpointError, match="model.onnx: .*backbone is a 'os.system', refused"):
        load_model(path)


def test_other_files_are_refused(card, tmp_path):
    path = write(tiny(None), tmp_path)
    with pytest.raises(CheckpointError, match='has no card'):
        load_model(path)
    for text in ('{', '[' * 10**5, '[]'):
        with pytest.raises(CheckpointError, match=r'model\.onnx: '):
            load_model(write(tiny(text), tmp_path))
    content = tiny(card.to_json()).SerializeToString()
    for damaged in (b'', b'x' * 99, content[:-9], content[: len(content) // 2]):
        Path(path).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r'model\.onnx: '):
            load_model(path)
    with pytest.raises(CheckpointError, match=r'no\.onnx is missing'):
        load_model(tmp_path / 'no.onnx')


def test_features_of_another_length_than_the_cards_are_refused(card, tmp_path):
    model = load_model(write(tiny(replace(card, feature_dim=8).to_json()), tmp_path))
    with pytest.raises(CheckpointError, match=r'it gives features \[2, 16\], its card has 8'):
        model.encode(torch.zeros(2, 1, 1, 4, 20, 3))


@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_a_missing_package_is_one_line(package, card, tmp_path, monkeypatch):
    path = write(tiny(card.to_json()), tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"needs {package}: pip install 'mmact_ssl\[onnx\]'"):
        load_model(path)
