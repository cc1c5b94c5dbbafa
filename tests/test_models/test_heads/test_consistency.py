"""Contrast of clips alike in appearance or in motion, against a slow loop in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.consistency import ConsistencyHead

CHANNELS, BATCH = 6, 8
Clip = tuple[Tensor, int, int, bool]  # embedding, video, speed, usable


def make(consistency: str, queue_size: int = 0, **options) -> ConsistencyHead:
    torch.manual_seed(0)
    return ConsistencyHead(
        CHANNELS, consistency, queue_size=queue_size, hidden_dim=8, embedding_dim=5, **options
    ).eval()


def project(head: ConsistencyHead, features: Tensor) -> Tensor:
    return head.projector(features.flatten(2).mean(2))


def batch(seed: int = 1, video: list[int] | None = None) -> dict[str, Tensor]:
    """Two clips of eight videos, some of them padded; all arguments of both kinds."""
    generator = torch.Generator().manual_seed(seed)
    valid = torch.ones(2, BATCH, 4, dtype=torch.bool)
    valid[0, 2, 3:] = valid[1, 5, 1:] = False
    return dict(
        query=torch.randn(BATCH, CHANNELS, 1, 2, 2, generator=generator),
        key=torch.randn(BATCH, CHANNELS, 1, 2, 2, generator=generator),
        video=torch.tensor(video or [10, 11, 12, 13, 14, 15, 16, 17]),
        query_speed=torch.tensor([1, 1, 2, 2, 4, 1, 2, 4]),
        key_speed=torch.tensor([2, 4, 1, 1, 1, 1, 4, 4]),
        query_valid=valid[0],
        key_valid=valid[1],
    )


def arguments(consistency: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    if consistency == 'motion':
        return values
    return {name: values[name] for name in ('query', 'key', 'video')}


def clips(embeddings: Tensor, values: dict[str, Tensor], which: str, motion: bool) -> list[Clip]:
    return [
        (
            embeddings[i].double(),
            int(values['video'][i]),
            int(values[f'{which}_speed'][i]),
            bool(values[f'{which}_valid'][i].all()) or not motion,
        )
        for i in range(BATCH)
    ]


@pytest.mark.parametrize('consistency', ['appearance', 'motion'])
def test_clips_cannot_all_go_to_one_point(consistency):
    head = make(consistency).train()
    values = arguments(consistency, batch())
    loss = head.loss(**values)['loss']
    with torch.no_grad():
        head.projector[3].bias.add_(1e3)  # the same for every clip
    torch.testing.assert_close(head.loss(**values)['loss'], loss, rtol=1e-3, atol=0)


def slow(rows: list[Clip], columns: list[Clip], old: list[Clip], motion: bool, temperature: float):
    """Loss and accuracy, one pair after the other; ``columns`` may contain the very rows."""
    losses, hits = [], []
    for row in rows:
        positive, negative = [], []
        for column, is_old in [(c, False) for c in columns] + [(c, True) for c in old]:
            if column is row:
                continue
            cosine = torch.cosine_similarity(row[0], column[0], dim=0).item() / temperature
            same_video, same_speed = row[1] == column[1], row[2] == column[2]
            if motion and not (row[3] and column[3]):
                continue
            if motion and not same_speed:
                negative.append(cosine)
            elif motion and not same_video:
                positive.append(cosine)
            elif not motion and not same_video:
                negative.append(cosine)
            elif not motion and not is_old:
                positive.append(cosine)
        if not positive or not negative:
            continue
        total = math.log(sum(math.exp(s) for s in positive + negative))
        losses.append(-sum(s - total for s in positive) / len(positive))
        hits.append(max(positive) > max(negative))
    return sum(losses) / len(losses), sum(hits) / len(losses), len(losses) / len(rows)


@pytest.mark.parametrize('consistency', ['appearance', 'motion'])
@pytest.mark.parametrize('video', [None, [10, 11, 12, 12, 14, 15, 10, 17]])
def test_in_the_batch_it_is_the_slow_formula(consistency, video):
    head, values = make(consistency), batch(video=video)
    motion = consistency == 'motion'
    found = head.loss(**arguments(consistency, values))
    rows = [
        *clips(project(head, values['query']), values, 'query', motion),
        *clips(project(head, values['key']), values, 'key', motion),
    ]
    loss, _, counted = slow(rows, rows, [], motion, head.loss_module.temperature)
    _, accuracy, _ = slow(rows[:BATCH], rows, [], motion, head.loss_module.temperature)
    assert found['loss'].item() == pytest.approx(loss, rel=1e-5)
    assert found['accuracy'].item() == pytest.approx(accuracy), 'of the first clips'
    assert found['valid_fraction'].item() == pytest.approx(counted)
    assert (counted < 1) == motion, 'padded clips do not count for motion'


@pytest.mark.parametrize('consistency', ['appearance', 'motion'])
def test_against_the_queue_it_is_the_slow_formula(consistency):
    head = make(consistency, queue_size=12).train()
    head.projector.eval()  # whose statistics stay as they are
    motion = consistency == 'motion'
    head.momentum_projector.start(make(consistency).projector)
    old: list[Clip] = []
    # The queue runs over in the second step, and the third sees videos of the first again.
    for step, first in enumerate((10, 30, 14)):
        values = batch(step, list(range(first, first + BATCH)))
        keys = head.momentum_projector(values['key'].flatten(2).mean(2))
        projected = project(head, values['query']).detach()
        found = head.loss(**arguments(consistency, values))
        of_keys = clips(keys, values, 'key', motion)
        rows = clips(projected, values, 'query', motion)
        loss, accuracy, _ = slow(rows, of_keys, old, motion, head.loss_module.temperature)
        assert found['loss'].item() == pytest.approx(loss, rel=1e-4), step
        assert found['accuracy'].item() == pytest.approx(accuracy), step
        old = (old + of_keys)[-12:]
        assert int(head.queue.filled.sum()) == len(old)
        assert set(head.queue.labels[head.queue.filled][:, 0].tolist()) == {c[1] for c in old}
    pointer = int(head.queue.pointer)
    head.eval().loss(**arguments(consistency, values))
    assert head.queue.pointer == pointer, 'nothing is enqueued in evaluation'
