"""The benchmark of the hook on conflicts: what is timed, and what is reckoned of it."""

from __future__ import annotations

import importlib
from argparse import Namespace
from types import SimpleNamespace

import pytest

CONFIG = 'configs/hcpg_r3d_jhmdb.py'


class FakeTraining:
    """Steps of 2 s, of 3 s where the model is observed, 60 s the first time."""

    batch_size = 16

    def __init__(self, cfg, device):
        self.model = SimpleNamespace(loss_observers=[])
        self.calls = []

    def step(self, number):
        observed = bool(self.model.loss_observers)
        self.calls.append((number, observed))
        seconds = 60.0 if number == 0 else 2.0 + observed
        return 2 * seconds, seconds


def test_a_measured_step_is_set_against_a_plain_one_on_the_same_batch(tool, monkeypatch, capsys):
    conflict_speed = importlib.import_module('conflict_speed')
    trainings = []
    monkeypatch.setattr(
        conflict_speed,
        'Training',
        lambda *args: trainings.append(FakeTraining(*args)) or trainings[0],
    )
    args = Namespace(config=CONFIG, device='cpu', steps=2, interval=50)
    figures = conflict_speed.run(args)
    plain_first, observed_first = (False, True), (True, False)
    orders = {0: plain_first, 1: observed_first, 2: plain_first}
    assert trainings[0].calls == [(n, observed) for n in orders for observed in orders[n]]
    assert figures['elapsed_and_cpu_seconds'] == {'plain': [4.0, 2.0], 'measured': [6.0, 3.0]}
    assert figures['more_per_measured_step'] == 0.5
    assert figures['more_per_step'] == pytest.approx(0.01)
    assert '50.0% more; once in 50 steps 1.00%' in capsys.readouterr().out
