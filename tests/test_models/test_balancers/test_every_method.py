"""A step of every method's shipped config, cut down: all of it is trained, by any batch."""

from __future__ import annotations

import pytest
import torch

from tests.five_methods import METHODS, make_model


@pytest.mark.usefixtures('data_of_methods')
@pytest.mark.parametrize('method', METHODS)
def test_every_parameter_is_trained(method: str):
    """In one step, as distributed training asks."""
    model, data = make_model(method, 4)
    for parameter in model.parameters():
        if not parameter.any():  # behind what starts at zero nothing has a gradient
            torch.nn.init.normal_(parameter, std=0.1)
    model(**data, mode='loss')['loss'].backward()
    trained = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert [name for name, gradient in trained.items() if gradient is None] == []
    idle = [name for name, gradient in trained.items() if not gradient.any()]
    # What real and fake do to a discriminator's last bias cancels inside the hinge's margins.
    assert all('discriminator' in name and name.endswith('score.bias') for name in idle), idle


@pytest.mark.usefixtures('data_of_methods')
@pytest.mark.parametrize('method', METHODS)
def test_a_last_batch_of_one_clip_does_not_end_a_run(method: str):
    """Losses and gradients are finite, and nothing becomes NaN that the next batch would read."""
    model, data = make_model(method, 1)
    logs = model(**data, mode='loss')
    logs['loss'].backward()
    assert all(value.isfinite() for name, value in logs.items() if 'loss' in name), logs
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert not [name for name, gradient in gradients.items() if not gradient.isfinite().all()]
    state = model.state_dict().items()
    assert not [name for name, value in state if not value.isfinite().all()]
