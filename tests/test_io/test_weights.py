"""Weights: found, downloaded, and loaded completely or not at all."""

import hashlib
import sys
from collections import OrderedDict

import pytest
import torch
from torch import nn

from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.io.download import check_hash
from mmact_ssl.io.files import writing_whole
from mmact_ssl.io.weights import (
    download_checkpoint,
    find_weights,
    load_by_order,
    load_strictly,
    select_parts,
)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A torch hub folder, and downloads that write the text of their address."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    asked = []

    def download(address, path, sha256):
        asked.append(address)
        with writing_whole(path) as part:
            part.write_text(address.rpartition('/')[2].partition('-')[0])
            check_hash(part, address, sha256, 'try again')

    monkeypatch.setattr('mmact_ssl.io.weights.download', download)
    return asked


SHA = hashlib.sha256(b'net').hexdigest()


@pytest.mark.parametrize(
    'address',
    [
        f'https://zoo.org/net-{SHA[:8]}.pth',
        f'https://zoo.org/net-{SHA[:8]}_20220909.pth',
        f'https://zoo.org/net-x.onnx#sha256={SHA}',
    ],
)
def test_an_address_is_downloaded_once_and_compared_with_its_hash(hub, tmp_path, address):
    path = find_weights(address, 'weights')
    assert path.startswith(str(tmp_path / 'hub' / 'checkpoints' / 'net-'))
    assert find_weights(address, 'weights') == path
    assert hub == [address.partition('#')[0]]
    with open(path, 'a') as file:
        file.write('damage')
    with pytest.raises(
        CheckpointError, match=r'\(weights\) has sha256 \w+, \w+ is expected: delete'
    ):
        find_weights(address, 'weights')


def test_addresses_that_end_alike_are_different_files(hub):
    address = 'https://zoo.org/{}/model.pth'
    first, second = (download_checkpoint(address.format(name)) for name in 'ab')
    assert first != second and download_checkpoint(address.format('a')) == first
    assert hub == [address.format(name) for name in 'ab']


def test_an_address_without_a_hash_or_with_another_is_refused(hub):
    with pytest.raises(ConfigError, match=r'net.pth \(weights\) names no hash: add #sha256='):
        find_weights('https://zoo.org/net.pth', 'weights')
    with pytest.raises(CheckpointError, match='0{8}.pth has sha256 .* is expected: try again'):
        find_weights('https://zoo.org/net-00000000.pth', 'weights')
    assert len(hub) == 1


def test_names_of_torchvision_are_those_of_mmengine(monkeypatch):
    monkeypatch.setattr('mmact_ssl.io.weights._download', lambda address, what: address)
    assert find_weights('torchvision://resnet18', 'x').endswith('resnet18-f37072fd.pth')
    assert find_weights('torchvision://resnet18.imagenet1k_v1', 'x').endswith('-f37072fd.pth')
    with pytest.raises(ConfigError, match=r"torchvision has no weights 'resnot' \(x\)"):
        find_weights('torchvision://resnot', 'x')


def test_a_file_in_a_package_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / 'carries_weights'
    package.mkdir()
    (package / '__init__.py').write_text('raise SystemExit("imported")\n')
    (package / 'net.pth').write_text('net')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_weights('package://carries_weights/net.pth', 'x') == str(package / 'net.pth')
    assert 'carries_weights' not in sys.modules
    with pytest.raises(DataError, match=rf"has no 'no.pth' \(x\), looked at {package}"):
        find_weights('package://carries_weights/no.pth', 'x')


def small():
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4)))


def test_by_name_nothing_may_be_missing_left_over_or_of_another_shape():
    state = small().state_dict()
    load_strictly(small(), state, 'a.pth')
    del state['conv.bias'], state['norm.bias']
    state['extra'] = torch.zeros(1)
    state['conv.weight'] = torch.zeros(2)
    message = r'4 weights do not fit \(conv.weight \[2\]≠\[4, 3, 3, 3\], conv.bias missing≠\[4\]'
    with pytest.raises(CheckpointError, match=message):
        load_strictly(small(), state, 'a.pth')


def test_by_order_the_number_the_shapes_and_the_kinds_must_agree():
    other = {
        f'block.{i}.{n.split(".")[-1]}': v for i, (n, v) in enumerate(small().state_dict().items())
    }
    network = small()
    load_by_order(network, other, 'a.pth')
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), other.values()))
    with pytest.raises(CheckpointError, match=r'a.pth has 6 weights, Sequential 7'):
        load_by_order(small(), dict(list(other.items())[1:]), 'a.pth')
    # The shapes of a batch norm's weight and bias are the same, their meaning is not.
    items = list(other.items())
    items[2], items[3] = items[3], items[2]
    message = r'a.pth: block.3.bias \[4\] stands where Sequential has norm.weight \[4\]'
    with pytest.raises(CheckpointError, match=message):
        load_by_order(small(), dict(items), 'a.pth')


def test_parts_are_selected_and_a_bare_backbone_gets_its_prefix():
    zero = torch.zeros(1)
    whole = dict.fromkeys(['backbone.conv', 'neck.fc', 'cls_head.fc', 'teachers.x'], zero)
    assert set(select_parts(whole, ('backbone', 'neck'))) == {'backbone.conv', 'neck.fc'}
    bare = dict.fromkeys(['conv1.weight', 'fc.weight', 'classifier.1.weight'], zero)
    assert set(select_parts(bare, ('backbone',))) == {'backbone.conv1.weight'}
