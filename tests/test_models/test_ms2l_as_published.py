"""MS2L as its released code computes it, transcribed slowly: batches padded to 300 frames, float64.

One thing differs on purpose: here each direction of the GRU starts at its own end of the clip, the
released code runs over the padding. And its mean over frames divides by their number plus 0.01.
"""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmact_ssl.registry import MODELS
from tests.helpers.heads import slow_network
from tests.shipped import load

LENGTHS, PADDED, ORDERS = (40, 12, 7, 3), 300, list(permutations(range(3)))
LABELS = (0, 3, 5, 1)


@pytest.fixture(scope='module')
def model():
    init_default_scope('mmact_ssl')
    config = load('ms2l_gru.py@ntu60-xsub').model
    config.backbone.hidden_size = config.heads.motion.hidden_size = 6
    for head in config.heads.values():
        head.in_channels = 12
    torch.manual_seed(0)
    model = MODELS.build(config).double()
    for name, parameter in model.named_parameters():  # biases start at zero
        if 'bias' in name:
            nn.init.normal_(parameter, std=0.1)
    return model


def masked(clip: Tensor) -> Tensor:
    """Frames below 70 % of the clip's length."""
    kept = torch.arange(clip.shape[1]) < 0.7 * clip.shape[1]
    return clip * kept[:, None, None]


def shuffled(clip: Tensor, label: int) -> Tensor:
    size = clip.shape[1] // 3
    order = [part * size + i for part in ORDERS[label] for i in range(size)]
    return clip[:, order + list(range(3 * size, clip.shape[1]))]


@pytest.fixture(scope='module')
def views():
    """View -> clips ``(2, T, 25, 3)``."""
    generator = torch.Generator().manual_seed(0)
    clips = [torch.randn(2, n, 25, 3, generator=generator).double() for n in LENGTHS]
    return dict(
        clip=clips,
        masked=[masked(clip) for clip in clips],
        shuffled=[shuffled(clip, label) for clip, label in zip(clips, LABELS)],
    )


def contrast(x: Tensor, y: Tensor, temperature: float = 0.9) -> Tensor:
    """Rows of both, each against all others; its own similarity counts as -1."""
    rows = F.normalize(torch.cat([x, y]))
    similar = (rows @ rows.T).masked_fill(torch.eye(len(rows), dtype=torch.bool), -1.0)
    return F.cross_entropy(similar / temperature, torch.arange(len(rows)).roll(len(x)))


def transcribed(model, views: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    """Features and losses of the tasks."""
    frames = {
        view: [model.backbone.gru(clip.transpose(0, 1).flatten(1)[None])[0][0] for clip in clips]
        for view, clips in views.items()
    }
    pooled = {view: torch.stack([f.sum(0) / len(f) for f in each]) for view, each in frames.items()}
    head = model.heads['motion']
    error = torch.zeros(()).double()
    for feature, clip in zip(frames['masked'], views['clip']):
        prediction = head.output(head.decoder(feature[None])[0][0])  # (T, 2 * 25 * 3)
        # Predictions in the padding are set to 0, as the clip is: they add nothing to the sum.
        error = error + (prediction - clip.transpose(0, 1).flatten(1)).square().sum()
    orders = slow_network(model.heads['jigsaw'].classifier, pooled['shuffled']).log_softmax(1)
    projector = model.heads['contrast'].projectors[0]
    projected = [slow_network(projector, pooled[view]) for view in ('clip', 'masked', 'shuffled')]
    mean = sum(projected) / 3
    return dict(
        pooled=pooled['clip'],
        motion=error / (len(LENGTHS) * PADDED * 2 * 25 * 3),
        jigsaw=-sum(orders[b, label] for b, label in enumerate(LABELS)) / len(LABELS),
        contrast=sum(contrast(one, mean) for one in projected) / 3,
    )


def batch(model, views: dict[str, list[Tensor]]) -> dict:
    permutation = [torch.tensor(ORDERS[label]) for label in LABELS]
    return model.data_preprocessor(
        dict(inputs=views, targets=dict(shuffled=dict(permutation=permutation)))
    )


def gradients(model, loss: Tensor) -> dict[str, Tensor]:
    named = dict(model.named_parameters())
    return dict(zip(named, torch.autograd.grad(loss, list(named.values()))))


def test_features_losses_and_gradients(model, views):
    data = batch(model, views)
    assert data['inputs']['clip'].shape == (4, 2, max(LENGTHS), 25, 3)
    expected = transcribed(model, views)
    found = model.head_inputs(data['inputs'], data['targets'])
    torch.testing.assert_close(found['clip.pooled'], expected['pooled'], rtol=1e-10, atol=1e-12)
    logs = model.train()(data['inputs'], data['targets'], mode='loss')
    total = torch.zeros(()).double()
    for task in ('motion', 'jigsaw', 'contrast'):
        torch.testing.assert_close(logs[f'{task}/loss'], expected[task], rtol=1e-9, atol=0)
        total = total + expected[task]
    torch.testing.assert_close(logs['loss'], total, rtol=1e-9, atol=0)
    own, slow = gradients(model, logs['loss']), gradients(model, total)
    for name, gradient in slow.items():
        torch.testing.assert_close(own[name], gradient, rtol=1e-8, atol=1e-10, msg=name)
