"""Guidance of clips and of frames against slow twins; what padding and absence may not do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.models.heads.guidance import FrameGuidanceHead, TeacherGuidanceHead

BATCH, TIME, IN, CHANNELS = 5, 4, 6, dict(image=7, pose=3)
VALUES = 5  # of a teacher of frames


def make_head(**changes) -> TeacherGuidanceHead:
    torch.manual_seed(0)
    options = dict(
        in_channels=IN,
        teachers=dict(image=dict(channels=7), pose=dict(channels=3, deviation=True)),
        loss=dict(type='InfoNCELoss', temperature=0.3),
        hidden_dim=8,
    )
    return TeacherGuidanceHead(**{**options, **changes})


def make_inputs(seed: int = 0, num_valid: int = TIME) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs: dict[str, Tensor] = {}
    for view in ('clip', 'clip_b'):
        inputs[view] = torch.randn(BATCH, IN, generator=generator)
        inputs[f'{view}_valid'] = torch.arange(TIME).expand(BATCH, -1) < num_valid
        for name, channels in CHANNELS.items():
            values = torch.randn(BATCH, TIME, channels, generator=generator)
            inputs[f'{view}_{name}'] = 3 * values + 5
    return inputs


def slow_embeddings(inputs: dict[str, Tensor], name: str, deviation: bool) -> Tensor:
    """Pooled over valid frames clip by clip, then by the batch's own mean and deviation.

    The first update of a running mean is corrected to just that.
    """
    rows = []
    for view in ('clip', 'clip_b'):
        for frames, kept in zip(inputs[f'{view}_{name}'].double(), inputs[f'{view}_valid']):
            parts = [frames[kept].mean(0), frames[kept].std(0, correction=0)]
            rows.append(torch.cat(parts[: 1 + deviation]))
    both = torch.stack(rows)
    spread = both.std(0, correction=0)
    return (both - both.mean(0)) / spread.clamp(min=float(0.01 * spread.mean()))


def slow_info_nce(queries: Tensor, keys: Tensor) -> Tensor:
    cosines = F.cosine_similarity(queries[:, None], keys[None], dim=2)
    return F.cross_entropy(cosines / 0.3, torch.arange(len(queries)), reduction='none')


@pytest.mark.parametrize(
    ('num_valid', 'contrast', 'agreement'), [(TIME, 1, 0), (2, 1, 0), (TIME, 0, 1), (2, 0.5, 3)]
)
def test_the_loss_is_that_of_the_slow_twin(num_valid, contrast, agreement):
    head = make_head(contrast=contrast, agreement=agreement)
    inputs = make_inputs(num_valid=num_valid)
    logs, errors = head.loss(**inputs), []
    for name, deviation in (('image', False), ('pose', True)):
        both = slow_embeddings(inputs, name, deviation)
        first, second = both.chunk(2)
        with torch.no_grad():
            ones = [head.projectors[name](inputs[view]).double() for view in ('clip', 'clip_b')]
        found = (slow_info_nce(ones[0], second) + slow_info_nce(ones[1], first)).mean() / 2
        apart = 1 - F.cosine_similarity(torch.cat(ones), both).mean()
        errors.append(float(contrast * found + agreement * apart))
        assert float(logs[f'{name}_error']) == pytest.approx(errors[-1], rel=1e-4)
        confidence = (-slow_info_nce(first, second)).exp().mean()
        assert float(logs[f'{name}_confidence']) == pytest.approx(float(confidence), rel=1e-4)
    assert float(logs['loss']) == pytest.approx(sum(errors) / 2, rel=1e-4)


def make_pose_inputs(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = make_inputs(seed)
    for view in ('clip', 'clip_b'):
        inputs[f'{view}_pose'] = torch.rand(BATCH, TIME, 4, 3, generator=generator) + 0.1
    return inputs


@pytest.mark.parametrize('kind', ['Fixed', 'Learned', 'Confidence'])
@pytest.mark.parametrize('view', ['clip', 'clip_b'])
def test_a_video_without_anybody_takes_no_part(kind, view):
    """In one clip is enough: there is then nothing to find, or nothing to be found by."""
    options = dict(
        teachers=dict(pose=dict(joints=4)),
        weights=dict(type=f'{kind}TeacherWeights'),
        agreement=0.5,
    )
    inputs = make_pose_inputs()
    inputs[f'{view}_pose'][2, ..., 2] = 0
    for name in ('clip', 'clip_b'):
        inputs[name].requires_grad_()
    head, without = make_head(**options), make_head(**options)
    for module in (head, without):
        module.projectors.eval()  # the student's own statistics are of all videos
    logs = head.loss(**inputs)
    logs['loss'].backward()
    rest = [0, 1, 3, 4]
    expected = without.loss(**{name: value[rest].detach() for name, value in inputs.items()})
    for name, value in expected.items():
        if name != 'pose_valid_fraction':
            assert torch.allclose(logs[name], value, rtol=1e-5), name
    assert float(logs['pose_valid_fraction']) == pytest.approx(0.8)
    for name in ('clip', 'clip_b'):
        assert inputs[name].grad[2].abs().sum() == 0
        assert (inputs[name].grad[rest].abs().sum(1) > 0).all()
    assert torch.equal(
        head.pooled_targets['pose'].standardizer.mean,
        without.pooled_targets['pose'].standardizer.mean,
    )
    predicted = head.eval().predict(**inputs)
    for name in ('error', 'accuracy', 'confidence'):
        assert predicted[f'pose_{name}'].isnan().tolist() == [n == 2 for n in range(5)]
    student, teacher = predicted['pose_similarity'], predicted['pose_own_similarity']
    assert student[:, 2].abs().sum() == teacher[:, 2].abs().sum() == teacher[2].abs().sum() == 0


def test_similarities_are_those_that_hits_and_confidence_come_from():
    head = make_head().train()
    inputs = make_inputs()
    head.loss(**inputs)
    predicted = head.eval().predict(**inputs)
    back = {}
    for view, other in (('clip', 'clip_b'), ('clip_b', 'clip')):
        for what in ('', '_valid', '_image', '_pose'):
            back[other + what] = inputs[view + what]
    reverse = head.predict(**back)
    own = torch.arange(BATCH)
    for name in CHANNELS:
        pair = (predicted[f'{name}_similarity'], reverse[f'{name}_similarity'])
        hits = [(values.argmax(1) == own).float() for values in pair]
        torch.testing.assert_close(predicted[f'{name}_accuracy'], sum(hits) / 2)
        sure = (predicted[f'{name}_own_similarity'] / 0.3).softmax(1).diagonal()
        torch.testing.assert_close(predicted[f'{name}_confidence'], sure)


def make_frame_head() -> FrameGuidanceHead:
    torch.manual_seed(0)
    return FrameGuidanceHead(IN, VALUES)


def make_frames(steps: int = TIME) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    valid = torch.ones(3, TIME, dtype=torch.bool)
    valid[1, 1:] = False
    return dict(
        feature_map=torch.randn(3, IN, steps, 2, 3, generator=generator),
        target=torch.randn(3, TIME, VALUES, generator=generator) * 3 + 5,
        valid=valid,
    )


@pytest.mark.parametrize('steps', [4, 2])
def test_the_loss_of_frames_is_that_of_the_slow_twin(steps):
    """Each frame of the student against the mean of the teacher's valid frames that became it."""
    head, inputs = make_frame_head(), make_frames(steps)
    loss = head.loss(**inputs)
    group, pairs = TIME // steps, []
    for clip in range(3):
        for step in range(steps):
            frames = range(step * group, (step + 1) * group)
            seen = [inputs['target'][clip, t] for t in frames if inputs['valid'][clip, t]]
            if seen:
                feature = inputs['feature_map'][clip, :, step].mean((1, 2))
                pairs.append((head.reader(feature), torch.stack(seen).mean(0)))
    targets = torch.stack([target for _, target in pairs])
    targets = (targets - targets.mean(0)) / targets.std(0, correction=0)
    expected = F.cosine_similarity(torch.stack([read for read, _ in pairs]), targets).mean()
    assert float(loss['cosine']) == pytest.approx(float(expected), rel=1e-4)
    assert float(loss['loss']) == pytest.approx(1 - float(expected), rel=1e-4)
