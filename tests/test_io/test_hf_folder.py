"""Folders of transformers that cannot be used: one line each, and nothing of theirs runs."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import transformers

from mmact_ssl.configs.encoder_config import SHIPPED, read_encoder, read_record
from mmact_ssl.encoders.encoder import Encoder, weights_hash
from mmact_ssl.errors import CheckpointError, MMActSSLError
from mmact_ssl.io.hf_folder import load_network, read_model
from tests.helpers.hf_networks import save_network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(save_network(tmp_path / 'network', 'dinov2'))


def change(name: str, **values: Any) -> Callable[[Path], None]:
    """Set keys of a JSON file; None removes one."""

    def fault(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | values
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / name).write_text(json.dumps(kept))

    return fault


def cut(name: str, share: float) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(share * len(whole))])

    return fault


def take_pickle(folder: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(folder / 'ran'),)

    (folder / 'model.safetensors').unlink()
    (folder / 'pytorch_model.bin').write_bytes(pickle.dumps(Runs()))


def take_code(name: str) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        (folder / 'own.py').write_text(f'import os\nos.mkdir({str(folder / "ran")!r})\n')
        change(name, auto_map=dict(AutoModel='own.Own', AutoImageProcessor='own.Own'))(folder)

    return fault


def take_weights(folder: Path) -> None:
    other = Path(save_network(folder.parent / 'other', 'clip'))
    (other / 'model.safetensors').replace(folder / 'model.safetensors')


def split(change: Callable[[Path], None] = lambda folder: None, to: str = '') -> Any:
    """Save the weights in parts, and name the first one otherwise in their index."""

    def fault(folder: Path) -> None:
        transformers.AutoModel.from_pretrained(folder).save_pretrained(folder, max_shard_size='9KB')
        index = folder / 'model.safetensors.index.json'
        if to:
            index.write_text(index.read_text().replace('model-00001-of', to))
        (folder / 'model.safetensors').unlink(missing_ok=True)
        change(folder)

    return fault


FAULTS = {
    'gone': (lambda folder: folder.rename(folder.parent / 'b'), 'no such folder.*teachers/network'),
    'weights cut': (cut('model.safetensors', 0.5), 'network: .*save_pretrained'),
    'header cut': (cut('model.safetensors', 0.001), 'network: .*save_pretrained'),
    'config cut': (cut('config.json', 0.5), r'config\.json: .*save_pretrained'),
    'preparation cut': (cut('preprocessor_config.json', 0.5), r'preprocessor_config\.json: '),
    'no preparation': (
        lambda folder: (folder / 'preprocessor_config.json').unlink(),
        r'/preprocessor_config\.json is missing',
    ),
    'a part outside': (split(to='../network/model-00001-of'), 'index.json: .*beside it'),
    'a part is cut': (split(cut('model-00002-of-00011.safetensors', 0.5)), 'save_pretrained'),
    'a part is gone': (split(to='model-1-of'), '/model-1-of-.* is missing'),
    'index cut': (split(cut('model.safetensors.index.json', 0.5)), r'index\.json: '),
    'pickle': (take_pickle, r'model\.safetensors is missing: .*pickles are not read'),
    'code of the network': (take_code('config.json'), r'config\.json: auto_map leads'),
    'code of the preparation': (take_code('preprocessor_config.json'), 'auto_map leads'),
    'kernel of the hub': (
        change('config.json', _attn_implementation_internal='a/b'),
        '_attn_implementation_internal leads',
    ),
    'another kind': (change('config.json', model_type='bert'), "type 'bert', not one of videomae"),
    'no kind': (change('config.json', model_type=None), 'type None'),
    'another size': (change('config.json', hidden_size=64), 'network: .*save_pretrained'),
    'other weights': (take_weights, 'lacks .* weights'),
    'deeper': (change('config.json', num_hidden_layers=3), 'lacks .* encoder.layer.2'),
    'an adapter': (
        lambda folder: (folder / 'adapter_config.json').write_text('{"base_model_name": "b"}'),
        r'adapter_config\.json: base_model_name leads',
    ),
    'another preparation': (
        change('preprocessor_config.json', image_processor_type='NoImageProcessor'),
        'network: .*save_pretrained',
    ),
}


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_is_one_line(name: str, folder: Path):
    fault, answer = FAULTS[name]
    fault(folder)
    with pytest.raises(MMActSSLError, match=answer) as error:
        Encoder.load(f'hf-video,model={folder}').stages  # noqa: B018
    assert '\n' not in str(error.value)
    assert not (folder / 'ran').exists()


def test_a_clip_has_the_length_that_its_positions_have(tmp_path: Path):
    folder = save_network(tmp_path / 'network', 'videomae')
    with pytest.raises(MMActSSLError, match='reads clips of 16 frames: leave frames=8 out'):
        read_encoder(f'hf-video,model={folder},frames=8')
    folder = save_network(tmp_path / 'other', 'vjepa2')
    assert read_encoder(f'hf-video,model={folder},frames=8').options['frames'] == 8


def test_a_name_of_the_hub_is_found_here_or_there(folder: Path, monkeypatch: pytest.MonkeyPatch):
    patterns: list[str] = []

    def download(name: str, allow_patterns: list[str]) -> str:
        patterns.extend(allow_patterns)
        if name != 'maker/giant':
            raise OSError('cannot be reached')
        return str(folder)

    monkeypatch.setattr(huggingface_hub, 'snapshot_download', download)
    monkeypatch.setenv('MMACT_SSL_DATA', str(folder.parent))
    found = read_encoder('hf-video,model=maker/giant')
    assert (found.name, found.backbone['model']) == ('hf-video-giant', str(folder))
    assert {Path(name).suffix for name in patterns} == {'.json', '.safetensors'}
    place = folder.parent / 'teachers/network'
    with pytest.raises(MMActSSLError, match=f'cannot be reached.*into {place}') as error:
        read_encoder('hf-video,model=maker/network')
    assert '\n' not in str(error.value)
    place.parent.mkdir()
    folder.rename(place)
    assert read_encoder('hf-video,model=maker/network').backbone['model'] == str(place)


def test_without_a_model_its_option_is_named():
    with pytest.raises(MMActSSLError, match='^give model=FOLDER'):
        read_encoder('hf-video')


def test_a_file_may_not_name_a_folder(folder: Path):
    encoder = read_encoder(f'hf-video,model={folder}')
    assert encoder.record['config'] == f'{SHIPPED}hf-video.py'
    with pytest.raises(CheckpointError, match=r'a\.pth: its encoder is in another folder'):
        read_record(encoder.record, 'a.pth')


@pytest.mark.parametrize('is_cut', [False, True])
def test_loading_is_quiet_and_leaves_the_logging_as_it_was(folder: Path, capfd, is_cut: bool):
    log = transformers.logging
    log.set_verbosity_info()
    log.enable_progress_bar()
    try:
        model = read_model(str(folder))
        capfd.readouterr()
        if is_cut:
            cut('model.safetensors', 0.5)(folder)
        with pytest.raises(CheckpointError) if is_cut else nullcontext():
            load_network(model)
        assert capfd.readouterr() == ('', '')
        assert (log.get_verbosity(), log.is_progress_bar_enabled()) == (log.INFO, True)
    finally:
        log.set_verbosity_warning()


def test_the_hash_covers_weights_and_preparation(folder: Path):
    encoder = read_encoder(f'hf-video,model={folder}')
    hashes = [weights_hash(encoder)]
    change('preprocessor_config.json', do_normalize=False)(folder)
    hashes.append(weights_hash(encoder))
    weights = (folder / 'model.safetensors').read_bytes()
    (folder / 'model.safetensors').write_bytes(weights[:-1] + b'\0')
    hashes.append(weights_hash(encoder))
    split()(folder)
    hashes.append(weights_hash(encoder))
    part = folder / 'model-00011-of-00011.safetensors'
    part.write_bytes(part.read_bytes()[:-1] + b'\1')
    hashes.append(weights_hash(encoder))
    assert len({*hashes}) == 5


def test_weights_in_parts_are_those_of_one_file(folder: Path):
    whole = load_network(read_model(str(folder))).state_dict()
    split()(folder)
    parts = load_network(read_model(str(folder))).state_dict()
    assert all(torch.equal(parts[name], weight) for name, weight in whole.items())
    assert parts.keys() == whole.keys() and len(read_model(str(folder)).files) == 2 + 1 + 11
