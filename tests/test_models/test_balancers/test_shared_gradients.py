"""The tasks' gradients on the shared backbone, against autograd on each task by itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.shared_gradients import SharedGradients, shared_weights


class Step:
    """Two views through one backbone, and tasks that read one, the other, both or none."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)).to(dtype)
        self.head = nn.Linear(4, 3).to(dtype)
        views = torch.randn(2, 8, 6).to(dtype)
        self.maps = [self.backbone(view) for view in views]
        one, two = self.maps
        self.losses = dict(
            one=self.head(one).square().mean(),
            two=(self.head(two) - 1).square().mean(),
            both=-(one * two).mean(),
            none=self.head.weight.square().sum(),
        )

    def gradients(self, prefix: str | None = None) -> SharedGradients:
        return SharedGradients(self.losses, self.maps, self.backbone, prefix)


def slow_gradients(step: Step, parameters: list[nn.Parameter]) -> list[Tensor]:
    """Task by task: loss.backward() and a copy of what it left."""
    rows = []
    for loss in step.losses.values():
        for parameter in parameters:
            parameter.grad = None
        loss.backward(retain_graph=True)
        rows.append(
            torch.cat(
                [
                    torch.zeros(p.numel(), dtype=p.dtype) if p.grad is None else p.grad.flatten()
                    for p in parameters
                ]
            )
        )
        for parameter in parameters:
            parameter.grad = None
    return rows


@pytest.mark.parametrize('prefix', [None, '', '0', '2'])
def test_inner_products_on_the_shared_weights(prefix):
    exact = Step(torch.float64)
    parameters = {
        None: [exact.backbone[2].weight],
        '': list(exact.backbone.parameters()),
        '0': list(exact.backbone[0].parameters()),
        '2': list(exact.backbone[2].parameters()),
    }[prefix]
    rows = slow_gradients(exact, parameters)
    expected = torch.stack([torch.stack([a @ b for b in rows]) for a in rows])
    gram = Step().gradients(prefix).gram()
    torch.testing.assert_close(gram.double(), expected, rtol=1e-4, atol=1e-7)
    # Tasks that read different views meet on the weights all the same.
    assert abs(float(gram[0, 1])) > 1e-6
    assert gram[3].tolist() == gram[:, 3].tolist() == [0] * 4


def test_a_loss_scale_is_divided_out():
    torch.testing.assert_close(Step().gradients().gram(), Step().gradients().gram(scale=2.0**14))


def test_the_surrogate_loss_weighs_the_backbone_and_nothing_else():
    factors = torch.tensor([0.5, -1.0, 2.0, 3.0])
    step, exact = Step(), Step(torch.float64)
    surrogate = step.gradients().surrogate_loss(factors)
    assert float(surrogate) == 0
    (sum(step.losses.values()) + surrogate).backward()
    rows = torch.stack(slow_gradients(exact, list(exact.backbone.parameters())))
    expected = ((1 + factors.double())[:, None] * rows).sum(0)
    got = torch.cat([p.grad.flatten() for p in step.backbone.parameters()])
    torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-6)
    heads = torch.stack(slow_gradients(exact, list(exact.head.parameters())))
    got = torch.cat([p.grad.flatten() for p in step.head.parameters()])
    torch.testing.assert_close(got.double(), heads.sum(0), rtol=1e-4, atol=1e-6)


def test_a_loss_without_any_gradient_has_none():
    step = Step()
    step.losses['constant'] = torch.tensor(2.0)
    assert step.gradients().gram()[4].tolist() == [0] * 5


def test_shared_weights_are_chosen_by_whole_names():
    backbone = nn.Sequential(*[nn.Linear(2, 2) for _ in range(11)])
    assert shared_weights(backbone, '1') == list(backbone[1].parameters())  # and not those of 10
    assert shared_weights(backbone) == [backbone[10].weight]
    for parameter in backbone[10].parameters():
        parameter.requires_grad = False
    assert shared_weights(backbone) == [backbone[9].weight]
    with pytest.raises(ConfigError, match=r"model\.shared_weights='layer4'.*'0', '1', '2'"):
        shared_weights(backbone, 'layer4')
    with pytest.raises(ConfigError, match='no trainable parameter'):
        shared_weights(backbone, '10')
