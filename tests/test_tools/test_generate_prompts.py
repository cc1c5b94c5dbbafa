"""Sentences about clips: no source reads a label, and clips without a sentence are reported."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.preparation.skeletons import SkeletonWriter

TOOL = Path(__file__).parents[2] / 'tools' / 'generate_prompts.py'
NAMES = [f'a0{number}_clip' for number in range(6)]


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('generate_prompts', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(folder: Path, labels: list[int], names: list[str] = NAMES) -> Path:
    """The same six clips, whatever their labels and names."""
    generator = np.random.default_rng(0)
    with SkeletonWriter(folder, 'made', 'kinect20', ['throw', 'carry'], 1) as writer:
        for name, label in zip(names, labels):
            clip = generator.normal(size=(1, 1, 20, 3)) + generator.normal(size=(1, 20, 20, 3)) / 2
            writer.add(name, label, clip.astype(np.float32))
        writer.finish({'train': names[:4], 'test': names[4:]})
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    return prepare(tmp_path / 'data', [0, 1, 0, 1, 0, 1])


def test_kinematic_sentences_do_not_depend_on_labels_or_names(tool, tmp_path, data):
    written = []
    other = prepare(tmp_path / 'permuted', [1, 0, 0, 0, 1, 1])
    for folder in (data, other):
        tool.main(['kinematic', '--data', str(folder)])
        written.append((folder / 'sentences_kinematic.json').read_bytes())
    ann, out = tmp_path / 'ann.txt', tmp_path / 'out.json'
    for label in ('', ' 1'):
        ann.write_text('\n'.join(f'{name}{label}' for name in NAMES))
        tool.main(['kinematic', '--data', str(data), '--ann', str(ann), '--out', str(out)])
        written.append(out.read_bytes())
    assert len(set(written)) == 1
    assert not {'throw', 'carry'} & set(written[0].decode().replace('"', ' ').split())
    renamed = prepare(tmp_path / 'renamed', [0] * 6, [f'z{name}' for name in NAMES])
    tool.main(['kinematic', '--data', str(renamed)])
    found = json.loads((renamed / 'sentences_kinematic.json').read_bytes())
    assert {name[1:]: lines for name, lines in found.items()} == json.loads(written[0])


def kinematic(tool, data: Path, *options: str) -> dict[str, list[str]]:
    out = data / 'made.json'
    tool.main(['kinematic', '--data', str(data), '--out', str(out), *options])
    return json.loads(out.read_text())


def test_options_reach_the_sentences(tool, data):
    plain = kinematic(tool, data)
    assert re.search('left', str(plain)) and re.search('right', str(plain))
    unsided = kinematic(tool, data, '--no-sides')
    assert list(unsided) == list(plain)
    assert not re.search('left|right', str(unsided)) and re.search('one hand', str(unsided))
    assert kinematic(tool, data, '--rate', '300') == plain, 'speed is not told'
    for rate, word in (('0.1', 'slowly'), ('300', 'quickly')):
        found = kinematic(tool, data, '--tempo', '--rate', rate)
        assert set(re.findall('quickly|slowly', str(found))) == {word}
    for count in (1, 24):
        found = kinematic(tool, data, '--count', str(count))
        assert {len(lines) for lines in found.values()} == {count}
        assert all(found[name][:8] == plain[name][:count] for name in NAMES)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['kinematic', '--count', '0'], '--count: choose 1 or more'),
        (['kinematic', '--count', '25'], 'count=25 sentences per clip: choose 1 to 24'),
        (['kinematic', '--rate', '0'], '--rate: choose a number above 0'),
    ],
)
def test_numbers_that_cannot_be_are_refused(tool, data, arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main([*arguments, '--data', str(data)])
    assert message in f'{stop.value} {capsys.readouterr().err}'


def test_a_file_is_matched_by_name_and_the_rest_reported(tool, tmp_path, data, capsys):
    file = tmp_path / 'others.json'
    file.write_text(json.dumps({NAMES[1]: ['x'], NAMES[3]: ['y', 'z'], 'stranger': ['w']}))
    tool.main(['file', str(file), '--data', str(data)])
    found = json.loads((data / 'sentences_file.json').read_text())
    assert found == {NAMES[1]: ['x'], NAMES[3]: ['y', 'z']}
    printed = capsys.readouterr().out
    assert '4 of 6 clips have no sentence, e.g. a00_clip' in printed
    assert '1 keys of' in printed and 'stranger' in printed


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['file', 'none.json', '--data', '{data}'], 'none.json is missing: correct --sentences'),
        (['kinematic', '--data', 'none'], 'skeleton folder none is missing'),
        (['kinematic', '--data', '{data}', '--ann', '{strangers}'], 'is not in .*prepare it'),
        (['lmm', 'none', '--data', '{data}'], 'no file none/config.json'),
        (['kinematic', '--data', '{data}', '--ann', 'none.txt'], 'none.txt is missing: prepare'),
    ],
)
def test_errors_are_one_line(tool, tmp_path, data, arguments, message):
    strangers = tmp_path / 'strangers.json'
    strangers.write_text('{"stranger": ["x"]}')
    filled = [word.format(data=data, strangers=strangers) for word in arguments]
    with pytest.raises(SystemExit, match=f'error: .*{message}') as caught:
        tool.main(filled)
    assert '\n' not in str(caught.value)


SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
WORDS = [*SPECIAL, 'a', 'person', 'waves', 'one', 'hand', 'both', 'claps', 'sits', 'down']


@pytest.fixture(scope='module')
def model_folder(tmp_path_factory) -> Path:
    """A small BLIP with random weights, saved as transformers saves."""
    transformers = pytest.importorskip('transformers')
    import torch

    folder = tmp_path_factory.mktemp('blip')
    (folder / 'vocab.txt').write_text('\n'.join(WORDS))
    tokenizer = transformers.BertTokenizerFast.from_pretrained(str(folder))
    images = transformers.BlipImageProcessor(size=dict(height=32, width=32))
    transformers.BlipProcessor(images, tokenizer).save_pretrained(folder)
    size = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    ids = dict(bos_token_id=2, eos_token_id=3, sep_token_id=3, pad_token_id=0)
    torch.manual_seed(0)
    config = transformers.BlipConfig(
        text_config=dict(vocab_size=len(WORDS), encoder_hidden_size=16, **size, **ids),
        vision_config=dict(image_size=32, patch_size=16, **size),
        projection_dim=16,
    )
    transformers.BlipForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_a_vision_language_model_describes_drawn_skeletons(
    tool, model_folder, tmp_path, data, pictures
):
    options = ['--count', '3', '--max-tokens', '6', '--frames', '4']
    other = prepare(tmp_path / 'permuted', [1, 1, 1, 0, 0, 0])
    for folder in (data, other):
        tool.main(['lmm', str(model_folder), '--data', str(folder), *options])
    written = [(folder / 'sentences_lmm.json').read_bytes() for folder in (data, other)]
    assert written[0] == written[1]
    found = json.loads(written[0])
    assert set(found) == set(NAMES)
    assert all(1 <= len(lines) <= 3 for lines in found.values())
    words = {word for lines in found.values() for line in lines for word in line.split()}
    assert words <= set(WORDS)
    # Two rows of two frames, each with a drawing.
    assert all(picture.shape == (448, 448, 3) for picture in pictures)
    rows = [row for picture in pictures for row in np.split(picture, 2)]
    assert all((frame < 200).any() for row in rows for frame in np.split(row, 2, 1))


@pytest.fixture
def pictures(monkeypatch) -> list[np.ndarray]:
    """Pictures that the model is shown."""
    from mmact_ssl.prompts.captioner import Captioner

    seen = []
    describe = Captioner.describe

    def spy(self, picture, *arguments):
        seen.append(picture)
        return describe(self, picture, *arguments)

    monkeypatch.setattr(Captioner, 'describe', spy)
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    return seen


def test_it_looks_at_the_clips_own_videos(
    tool, model_folder, tmp_path, data, pictures, make_video, read_index
):
    (tmp_path / 'videos').mkdir()
    for number, name in enumerate(NAMES):
        make_video(tmp_path / 'videos' / f'{name}.mp4', num_frames=10 + number)
    options = ['--count', '1', '--max-tokens', '4', '--frames', '2']
    command = ['lmm', str(model_folder), '--data', str(data), *options]
    tool.main([*command, '--videos', str(tmp_path / 'videos')])
    assert [[read_index(part) for part in np.split(picture, 2)] for picture in pictures] == [
        [0, 9 + number] for number in range(6)
    ]
    with pytest.raises(SystemExit, match=r"error: .* has no video of the clip 'a00_clip'"):
        tool.main([*command, '--videos', str(tmp_path)])


def test_a_question_begins_the_caption_of_a_model_that_is_not_of_chat(
    tool, model_folder, data, pictures
):
    command = ['lmm', str(model_folder), '--data', str(data), '--count', '2', '--max-tokens', '4']
    tool.main([*command, '--question', 'both hand waves'])
    found = json.loads((data / 'sentences_lmm.json').read_text())
    assert set(found) == set(NAMES) and len(pictures) == 6
    assert all(line.startswith('both hand waves') for lines in found.values() for line in lines)
