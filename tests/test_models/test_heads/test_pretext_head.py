"""Terms of a head: weighted means to train on and to log, samples to look at."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.heads.terms import Terms


class Named(PretextHead):
    """Gives the terms that it is made with."""

    inputs = dict(clip='clip.pooled')

    def __init__(self, **found: Term | Tensor) -> None:
        super().__init__()
        self.found = found

    def terms(self, clip: Tensor) -> Terms:
        return self.found


def made() -> tuple[Named, Tensor]:
    values = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
    counts = torch.tensor([1.0, 3.0, 0.0])
    head = Named(
        loss_a=Term(values, counts),
        loss_b=Term(values),
        accuracy=Term(values, counts),
        known=Term(values, counts > 0),
        plain=Term(values),
        fraction=Term(counts.mean()),
        picture=torch.ones(3, 2),
    )
    return head, values


def test_losses_and_metrics_are_weighted_means():
    head, values = made()
    found = head.loss(clip=torch.zeros(3, 1))
    expected = dict(loss_a=7 / 4, loss_b=3, accuracy=7 / 4, known=3 / 2, plain=3, fraction=4 / 3)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected)
    (found['loss_a'] + found['loss_b']).backward()
    assert values.grad.tolist() == pytest.approx([1 / 4 + 1 / 3, 3 / 4 + 1 / 3, 1 / 3])
    assert not any(found[name].requires_grad for name in ('accuracy', 'known', 'plain'))


def test_of_what_does_not_count_a_loss_is_0_and_a_metric_is_not_a_number():
    """Also beside a loss that is NaN."""
    nothing, broken = torch.ones(2, requires_grad=True), torch.tensor([1.0, float('nan')])
    head = Named(
        loss_a=Term(nothing, torch.zeros(2)),
        loss_b=Term(broken),
        accuracy=Term(torch.ones(2), torch.zeros(2)),
    )
    found = head.loss(clip=torch.zeros(2, 1))
    assert found['loss_a'] == 0 and found['loss_b'].isnan() and found['accuracy'].isnan()
    found['loss_a'].backward()
    assert nothing.grad.tolist() == [0, 0]


@pytest.mark.parametrize('name', ['loss_frames', 'error'])
@pytest.mark.parametrize(
    ('value', 'weight'), [((3, 4), None), ((4,), None), ((3,), (3, 1)), ((3,), (1,)), ((3,), ())]
)
def test_a_term_that_is_not_one_number_of_each_sample_is_named(name: str, value, weight):
    term = Term(torch.ones(value), None if weight is None else torch.ones(weight))
    whole = Term(torch.ones(3))
    head = Named(loss=whole, accuracy=whole, **{name: term})
    with pytest.raises(ConfigError, match=f"'{name}' has the shapes .* 3 samples: use mean_term"):
        head.loss(clip=torch.zeros(3, 1))


def test_a_prediction_has_metrics_of_each_sample_and_outputs():
    head, values = made()
    found = head.predict(clip=torch.zeros(3, 1))
    assert set(found) == {'accuracy', 'known', 'plain', 'picture'}
    for name in ('accuracy', 'known'):
        assert found[name].tolist() == pytest.approx([1, 2, float('nan')], nan_ok=True)
    assert found['plain'].tolist() == values.tolist() and found['picture'].shape == (3, 2)


@pytest.mark.parametrize('name', ['accuracy', 'order_accuracy', 'error', 'mse'])
@pytest.mark.parametrize('kind', [Term, torch.clone])
def test_a_metric_that_is_a_mean_of_the_batch_is_refused_in_training_and_test(name: str, kind):
    """Nothing would test it."""
    head = Named(loss=Term(torch.ones(3)), **{name: kind(torch.ones(3).mean())})
    for run in (head.loss, head.predict):
        with pytest.raises(ConfigError, match=f'^Named: {name} is one number for a batch, .*Term'):
            run(clip=torch.zeros(3, 1))


def test_a_reference_may_be_one_number_for_all_samples():
    accuracy = Term(torch.ones(3), torch.tensor([1.0, 1.0, 0.0]))
    head = Named(loss=Term(torch.ones(3)), accuracy=accuracy, chance=Term(torch.tensor(0.25)))
    assert head.loss(clip=torch.zeros(3, 1))['chance'] == 0.25
    assert head.predict(clip=torch.zeros(3, 1))['chance'].tolist() == [0.25] * 3


def test_a_loss_that_is_not_a_term_is_refused():
    with pytest.raises(ConfigError, match="Named: 'loss_b' is not a Term"):
        Named(loss=Term(torch.ones(3)), loss_b=torch.ones(3)).loss(clip=torch.zeros(3, 1))
