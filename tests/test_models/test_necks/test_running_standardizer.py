"""Running mean and deviation: corrected from the start, frozen in evaluation, part of a resume."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.models.necks.target_pooling import RunningStandardizer


@settings(deadline=None, max_examples=20)
@given(
    st.integers(1, 6),
    st.integers(2, 9),
    st.integers(1, 5),
    st.sampled_from([0, 3, 1000]),
    st.integers(0, 999),
)
def test_the_running_statistics_are_weighted_means_of_the_batches(
    steps, size, channels, offset, seed
):
    rng = np.random.default_rng(seed)
    batches = rng.normal(offset, 2, (steps, size, channels))
    module = RunningStandardizer(channels, momentum=0.9)
    for batch in batches:
        found = module(torch.from_numpy(batch))
    shares = 0.9 ** np.arange(steps - 1, -1, -1)
    shares /= shares.sum()
    mean = (shares[:, None] * batches.mean(1)).sum(0)
    square = (shares[:, None] * (batches**2).mean(1)).sum(0)
    deviation = np.sqrt(square - mean**2)
    deviation = np.maximum(deviation, 0.01 * deviation.mean())
    # Up to what single precision rounds so far from zero.
    rounding = 2e-6 * (offset + 20)
    np.testing.assert_allclose(found * deviation, batches[-1] - mean, atol=rounding, rtol=2e-3)


def test_a_dead_channel_is_not_blown_up():
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    values[:, 2] = 1e-7 * values[:, 2] + 0.5
    assert RunningStandardizer(4)(values)[:, 2].abs().max() < 1e-2


def test_evaluation_learns_nothing_and_gradients_end():
    module = RunningStandardizer(3)
    values = torch.randn(8, 3, requires_grad=True)
    assert torch.equal(module.eval()(values), values), 'nothing is known yet'
    assert not module.train()(values).requires_grad
    state = {key: value.clone() for key, value in module.state_dict().items()}
    first = module.eval()(values)
    assert torch.equal(first, module(values))
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    again = RunningStandardizer(3).eval()
    again.load_state_dict(state)
    assert torch.equal(again(values), first)
