"""The trainer: views encoded once, inputs checked when built, teachers apart, losses weighed."""

from __future__ import annotations

import pytest
import torch
from mmengine.logging import MessageHub
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from tests.helpers.heads import keep, make_pretrainer

ADAPTER = dict(type='mmact_ssl.ConvolutionAdapter', in_channels=4, out_channels=2)


class CountingBackbone(nn.Module):
    """A convolution that remembers its batches, and returns a tuple as OpenMMLab does."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(3, 4, 1)
        self.batches: list[torch.Size] = []

    def forward(self, frames: Tensor) -> tuple[Tensor]:
        self.batches.append(frames.shape)
        return (self.convolution(frames),)


class TwoMaps(nn.Module):
    """Two layers, one after the other, that give a map each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv3d(3, 4, 1), nn.Conv3d(4, 4, 1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        earlier = self.first(frames)
        return earlier, self.second(earlier.tanh())


class RecordingHead(PretextHead):
    """Keeps what it was given; its losses are means of the map, scaled."""

    def __init__(self, inputs: dict[str, str], scale: float = 1.0) -> None:
        super().__init__(inputs)
        self.scale = scale
        self.given: dict[str, Tensor] = {}

    def terms(self, **inputs: Tensor) -> dict[str, Term | Tensor]:
        self.given = inputs
        value = inputs['map'].square().mean((1, 2, 3, 4)) * self.scale  # (B,)
        return dict(
            loss_one=Term(value),
            other_loss=Term(2 * value),
            accuracy=Term(1000 * value),
            progress=Term(value.new_tensor(self.progress)),
            iteration=Term(value.new_tensor(self.iteration)),
            map=inputs['map'],
            error=Term(inputs['map'].mean((1, 2, 3, 4))),
        )


def make(**changes) -> MultiTaskPretrainer:
    torch.manual_seed(0)
    config = dict(
        backbone=dict(type=CountingBackbone),
        heads=dict(
            first=dict(
                type=RecordingHead,
                inputs=dict(map='clip.static', frames='clip', pooled='clip.pooled'),
            ),
            second=dict(type=RecordingHead, inputs=dict(map='future.feature_map'), scale=3.0),
            third=dict(
                type=RecordingHead, inputs=dict(map='clip.feature_map', target='targets.clip.pose')
            ),
        ),
        adapters=dict(static=ADAPTER),
        encode=('clip', 'future'),
    )
    views = ('clip', 'future', 'keyframes')
    return make_pretrainer(views=views, targets=('clip.pose',), std=100.0, **(config | changes))


def make_data(future_time: int = 2) -> dict:
    generator = torch.Generator().manual_seed(0)

    def frames(time: int) -> list[Tensor]:
        shape = (3, time, 4, 4)
        return [torch.randint(256, shape, generator=generator, dtype=torch.uint8) for _ in range(2)]

    return dict(
        inputs=dict(clip=frames(2), future=frames(future_time), keyframes=frames(1)),
        targets=dict(clip=dict(pose=[torch.rand(2, 5, 3, generator=generator) for _ in range(2)])),
        data_samples=[Untouchable(), Untouchable()],
    )


class Untouchable:
    """A data sample whose labels must not be read."""

    def __getattr__(self, name: str):
        raise AssertionError(f'pre-training read data_samples.{name}')

    def __len__(self) -> int:
        raise AssertionError('pre-training read data_samples')


@pytest.fixture
def progress():
    """Set the runner's progress for a test."""
    hub = MessageHub.get_current_instance()
    hub.update_info('iter', 0)
    hub.update_info('max_iters', 10)
    yield lambda iteration: hub.update_info('iter', iteration)
    for key in ('iter', 'max_iters'):
        hub.pop_info(key)


def forward(model: MultiTaskPretrainer, mode: str, data: dict | None = None):
    data = dict(model.data_preprocessor(data or make_data()))
    # cast_data and pseudo_collate hand data samples on untouched; so must the model.
    return model(**data, mode=mode)


def test_encode_together_joins_views_of_one_shape():
    apart, together = make(), make(encode_together=True)
    expected, got = forward(apart, 'tensor'), forward(together, 'tensor')
    assert together.backbone.batches == [(4, 3, 2, 4, 4)]
    assert list(got) == ['clip', 'future']
    for view, feature_map in expected.items():
        torch.testing.assert_close(got[view], feature_map)
    assert not torch.allclose(expected['clip'], expected['future'])

    other_shape = make_data(future_time=3)
    got = forward(together, 'tensor', other_shape)
    assert together.backbone.batches[1:] == [(2, 3, 2, 4, 4), (2, 3, 3, 4, 4)]
    assert got['future'].shape == (2, 4, 3, 4, 4)


def test_heads_get_exactly_what_they_name_of_views_that_are_encoded_once():
    model = make()
    data = model.data_preprocessor(make_data())
    model(**data, mode='loss')
    assert model.backbone.batches == [(2, 3, 2, 4, 4), (2, 3, 2, 4, 4)]
    feature_map = model.backbone.convolution(data['inputs']['clip'])
    given = {task: head.given for task, head in model.heads.items()}
    assert set(given['first']) == {'map', 'frames', 'pooled'}
    torch.testing.assert_close(given['first']['pooled'], feature_map.mean((2, 3, 4)))
    assert torch.equal(given['first']['frames'], data['inputs']['clip'])
    torch.testing.assert_close(given['first']['map'], model.adapters['static'](feature_map))
    torch.testing.assert_close(given['third']['map'], feature_map)
    assert torch.equal(given['third']['target'], data['targets']['clip']['pose'])


@pytest.mark.parametrize('together', [True, False])
def test_an_adapter_reads_an_earlier_map_and_balancers_count_its_gradient_once(together: bool):
    """The gradient on the earlier map leaves out what flows back through the later one."""
    adapters = dict(static=dict(ADAPTER, level=0))
    model = make(backbone=dict(type=TwoMaps), adapters=adapters, encode_together=together)
    kept = []
    model.loss_observers.append(lambda gradients, weights: kept.append(gradients))
    data = model.data_preprocessor(make_data())
    model(**data, mode='loss')
    clip = data['inputs']['clip']
    earlier, last = model.backbone(clip)
    static, feature_map = (model.heads[name].given['map'] for name in ('first', 'third'))
    torch.testing.assert_close(static, model.adapters['static'](earlier))
    torch.testing.assert_close(feature_map, last)
    (gradients,) = kept
    norms = dict(zip(gradients.tasks, gradients.norms_on_maps()))
    expected = torch.autograd.grad(3 * last.square().mean(), last)[0].norm()
    torch.testing.assert_close(norms['third'], expected)
    one = model.adapters['static'](earlier).square().mean()
    expected = torch.autograd.grad(3 * one, earlier)[0].norm()
    torch.testing.assert_close(norms['first'], expected)
    # A change of the gradients on the maps is one of the gradients on all layers.
    for k, task in enumerate(gradients.tasks):
        factors = torch.eye(len(gradients.tasks))[k]
        parameters = list(model.backbone.parameters())
        options = dict(retain_graph=True, materialize_grads=True)
        wanted = torch.autograd.grad(gradients.losses[task], parameters, **options)
        got = torch.autograd.grad(gradients.surrogate_loss(factors), parameters, **options)
        for one, other in zip(got, wanted):
            torch.testing.assert_close(one, other)


def test_the_total_is_the_weighted_sum_of_all_entries_that_contain_loss(progress):
    weights = dict(first=0.5, third=[0.0, 4.0])
    model = make(balancer=dict(type='mmact_ssl.ScheduledWeights', weights=weights))
    for iteration, third in ((0, 0.0), (5, 2.0), (10, 4.0)):
        progress(iteration)
        out = forward(model, 'loss')
        by_task = {
            task: out[f'{task}/loss_one'] + out[f'{task}/other_loss'] for task in model.heads
        }
        expected = 0.5 * by_task['first'] + by_task['second'] + third * by_task['third']
        torch.testing.assert_close(out['loss'].detach(), expected)
        assert out['first/accuracy'] > by_task['first'], 'metrics are logged, not minimized'
        assert out['third/iteration'] == iteration
        assert float(out['third/progress']) == pytest.approx(iteration / 10)
        assert not any(value.requires_grad for name, value in out.items() if name != 'loss')

        total, logs = model.parse_losses(out)
        assert total is out['loss']
        assert logs == out


def test_predictions_come_by_sample_and_task():
    model = make()
    samples = forward(model, 'predict')
    feature_map = forward(model, 'tensor')['future']
    assert len(samples) == 2
    for index, sample in enumerate(samples):
        assert list(sample) == ['first', 'second', 'third']
        torch.testing.assert_close(sample['second']['map'], feature_map[index])
        torch.testing.assert_close(sample['second']['error'], feature_map[index].mean())


def test_a_frozen_map_and_an_adapter_of_a_task_that_is_off_have_no_gradient_to_wait_for():
    adapters = {name: dict(ADAPTER, level=0) for name in ('static', 'other')}
    model = make(backbone=dict(type=TwoMaps), adapters=adapters)
    trained = {n: {p.requires_grad for p in a.parameters()} for n, a in model.adapters.items()}
    assert trained == dict(static={True}, other={False})
    model.backbone.first.requires_grad_(False)
    kept = []
    model.loss_observers.append(lambda gradients, weights: kept.append(gradients.norms_on_maps()))
    forward(model, 'loss')['loss'].backward()
    norms = dict(zip(model.tasks, kept[0]))
    assert norms['first'] == 0 < norms['third'], 'a frozen map teaches nothing'


def reader(**inputs: str) -> dict:
    """Changes of a config to one head of these inputs."""
    return dict(heads=dict(motion=keep(**inputs)))


def teacher(target: str, view: str) -> dict:
    return dict(teachers={target: dict(teacher=dict(type=nn.Identity), views=(view,))})


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            reader(aim='targets.clip.flow'),
            r"'motion' reads 'targets.clip.flow' .model\.heads\.motion\.inputs\.aim.*adapters",
        ),
        (
            reader(map='clip.dynamic'),
            r"'motion' reads 'clip.dynamic' .model\.heads\.motion\.inputs",
        ),
        (reader(map='keyframes.pooled'), r"'keyframes.pooled'.*: add 'keyframes' to model\.encode"),
        (dict(encode=('clip', 'slow')), "model.encode .*'slow'.*model.data_preprocessor.views"),
        (dict(heads=dict(first=None)), 'model.heads'),
        (teacher('light', 'slow'), "model.teachers.light.views .*'slow'"),
        (
            teacher('pose', 'clip'),
            'targets.clip.pose .*model.teachers.pose .*model.data_preprocessor.targets',
        ),
        (
            dict(statistics_views=('keyframes',)),
            "statistics_views names the view 'keyframes', but the student",
        ),
        (
            dict(balancer=dict(type='mmact_ssl.FixedWeights', weights=dict(frist=0.5))),
            "names 'frist', which is not among model.heads",
        ),
        (dict(adapters=dict(static='third')), r"model.adapters.static='third' shares an adapter"),
    ],
)
def test_config_errors_name_the_key(changes, message):
    with pytest.raises(ConfigError, match=message):
        make(**changes)
