"""tools/evaluate.py with --class-texts and --clip-texts: each protocol reads its own cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.reporting.result import Result, read_results
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tools import evaluate

CLASSES = ['carry', 'sit down', 'wave']
CLIPS = [f'clip{number}' for number in range(12)]
TRAIN, TEST = CLIPS[:6], CLIPS[6:]
WIDTH = 6  # of an embedded sentence


@pytest.fixture
def command(tmp_path, monkeypatch) -> list[str]:
    """Twelve clips of three classes, a config, and a checkpoint of a small C2VL pre-training."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    with SkeletonWriter(Path('data'), 'made', 'kinect20', CLASSES, 1) as writer:
        for number, name in enumerate(CLIPS):
            clip = generator.normal(size=(1, 8, 20, 3)) * (1 + number % 3)
            writer.add(name, number % 3, clip.astype(np.float32))
        writer.finish({'train': TRAIN, 'test': TEST})
    steps = [
        dict(type='mmaction.FormatGCNInput', num_person=1),
        dict(type='mmaction.PackActionInputs'),
    ]
    loaders = {
        f'{split}_dataloader': dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='mmact_ssl.SkeletonDataset',
                ann_file=f'data/{split}.txt',
                data_prefix=dict(skeleton='data'),
                test_mode=split == 'test',
                pipeline=steps,
            ),
        )
        for split in ('train', 'test')
    }
    encoder = dict(type='mmact_ssl.SkeletonGRU', layout='kinect20', hidden_size=8, pool='mean')
    config = Config(
        dict(
            default_scope='mmaction',
            dataset_name='made',
            backbone_name='gru',
            synthetic=True,
            feature_pooling=dict(type='mmact_ssl.SkeletonPooling', mode='mean'),
            model=dict(
                type='mmaction.RecognizerGCN',
                backbone=encoder,
                cls_head=dict(type='mmaction.GCNHead', num_classes=3, in_channels=16),
                data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
            ),
            **loaders,
        )
    )
    config.dump('config.py')
    torch.manual_seed(0)
    modules = {
        'backbone.': build_recognizer(config, seed=3).backbone,
        'heads.prompts.': PromptMatchingHead(16, WIDTH, hidden_dim=8, embedding_dim=4),
    }
    state = {
        prefix + key: value
        for prefix, module in modules.items()
        for key, value in module.state_dict().items()
    }
    torch.save(dict(state_dict=state), 'epoch.pth')
    return ['config.py', 'epoch.pth', '--cache-dir', '', '--device', 'cpu', '--out', 'results']


def write_texts(path: str, keys: list[str]) -> str:
    """A cache of two random sentences a key, drawn in the order of the keys."""
    generator = np.random.default_rng(1)
    with TargetWriter(Path(path), TargetMeta('text', '', 'f')) as writer:
        for key in keys:
            writer.put(key, generator.normal(size=(2, WIDTH)).astype(np.float32))
    return path


def read_result(protocol: str) -> Result:
    return next(found for found in read_results('results') if found.protocol == protocol)


def test_each_protocol_reads_its_own_cache(command, capsys):
    classes, clips = write_texts('classes.lmdb', CLASSES), write_texts('clips.lmdb', TEST[:4])
    options = ['--class-texts', classes, '--clip-texts', clips]
    evaluate.main(['zeroshot,text-retrieval', *command, *options])
    shown = capsys.readouterr().out
    assert 'zeroshot' in shown and 'text-retrieval' in shown
    found = read_result('text-retrieval')
    assert found.details['clips'] == 6 and found.details['without_sentence'] == 2
    assert 0 <= found.metrics['recall@1'] <= found.metrics['recall@5'] <= 1
    assert found.metrics['recall@10'] == 1  # of six clips
    confusion = np.array(read_result('zeroshot').details['confusion'])
    assert confusion.sum(axis=1).tolist() == [2, 2, 2]
    # Sentences of the first class given to the last, and so on: so go the clips.
    turned = write_texts('turned.lmdb', CLASSES[1:] + CLASSES[:1])
    evaluate.main(['zeroshot', *command, '--class-texts', turned])
    again = np.array(read_result('zeroshot').details['confusion'])
    np.testing.assert_array_equal(again, np.roll(confusion, 1, axis=1))
    assert not np.array_equal(again, confusion)


@pytest.mark.parametrize(
    ('protocol', 'arguments', 'message'),
    [
        ('zeroshot', [], r'zeroshot: give the text cache by --class-texts'),
        ('text-retrieval', [], r'text-retrieval: give the text cache by --clip-texts'),
        ('zeroshot', ['--clip-texts', 'clips.lmdb'], 'give the text cache by --class-texts'),
        ('zeroshot', ['--class-texts', 'clips.lmdb'], 'clips.lmdb: no sentence about 3 of 3 cl'),
        ('text-retrieval', ['--clip-texts', 'classes.lmdb'], 'no sentence about any of the 6 test'),
        ('zeroshot', ['--class-texts', 'none.lmdb'], 'none.lmdb'),
    ],
)
def test_a_cache_that_lacks_or_is_another_is_named(command, protocol, arguments, message):
    write_texts('classes.lmdb', CLASSES), write_texts('clips.lmdb', TEST)
    with pytest.raises(SystemExit, match=f'error: .*{message}') as caught:
        evaluate.main([protocol, *command, *arguments])
    assert '\n' not in str(caught.value)
    assert not Path('results').exists()
