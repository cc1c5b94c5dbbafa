"""Properties of teachers of every family: frozen, the same in any batch, known by hash."""

import copy
import shutil

import pytest
import torch
from torch import nn

from mmact_ssl.errors import CheckpointError
from mmact_ssl.models.teachers import build_teacher

# family -> (small model, teacher, arguments)
FAMILIES = {
    'image': ('mmpretrain', 'MMLabTeacher', {'input_size': 32}),
    'action-2d': ('mmaction_2d', 'MMLabTeacher', {'input_size': 32}),
    'action-3d': ('mmaction_3d', 'MMLabTeacher', {'input_size': 32}),
    'pose-backbone': ('mmpose', 'MMLabTeacher', {}),
    'parsing': ('mmseg', 'MMSegTeacher', {'input_size': 32, 'map_size': 8, 'layout': 'lip'}),
}


@pytest.fixture(params=FAMILIES)
def family(request, small_model, frames, clips):
    """A dict of a teacher's config, its frames or clips, and its files."""
    name, kind, arguments = FAMILIES[request.param]
    config = {'type': kind, **small_model(name).files, **arguments, 'batch_size': 3}
    return config, clips if request.param == 'action-3d' else frames


def test_neighbors_in_the_batch_do_not_matter(family):
    config, frames = family
    teacher = build_teacher(config)
    together = teacher(frames)
    assert together.dtype == torch.float32
    assert together.std(0).mean() > 0.01 * together.abs().mean()  # it sees the frames
    close = dict(rtol=1e-5, atol=1e-5 * float(together.abs().max()))
    alone = torch.cat([teacher(frame[None]) for frame in frames])
    torch.testing.assert_close(together, alone, **close)
    torch.testing.assert_close(together[2:], teacher(frames[2:].float() + 0.3), **close)


def test_it_is_frozen_and_no_part_of_its_holder(family):
    config, frames = family
    teacher = build_teacher(config)
    network = teacher.frozen
    before = copy.deepcopy(network.state_dict())
    assert any(name.endswith('running_mean') for name in before)
    holder = nn.ModuleDict({'backbone': nn.Linear(1, 1), 'teacher': teacher}).train()
    assert {name.split('.')[0] for name in holder.state_dict()} == {'backbone'}
    assert len([*holder.parameters()]) == 2
    targets = teacher(frames)
    assert not targets.requires_grad and not any(p.requires_grad for p in network.parameters())
    assert not any(module.training for module in network.modules())
    after = network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_fingerprint_follows_weights_and_config_not_paths(family, tmp_path):
    config, _ = family
    wanted = build_teacher(config).fingerprint()
    moved = {**config, 'config': str(tmp_path / 'a.py'), 'checkpoint': str(tmp_path / 'b.pth')}
    for name in ('config', 'checkpoint'):
        shutil.copy(config[name], moved[name])
    assert build_teacher({**moved, 'batch_size': 4}).fingerprint() == wanted
    assert build_teacher({**config, 'input_size': 48}).fingerprint() != wanted
    saved = torch.load(config['checkpoint'], weights_only=True)
    next(iter(saved['state_dict'].values())).add_(1)
    torch.save(saved, moved['checkpoint'])
    assert build_teacher(moved).fingerprint() != wanted


def test_the_mixed_precision_of_a_training_does_not_count(family):
    config, frames = family
    teacher = build_teacher(config)
    targets = teacher(frames)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        torch.testing.assert_close(teacher(frames), targets)


def test_a_checkpoint_of_another_network_is_refused(family, tmp_path):
    config, _ = family
    torch.save({'state_dict': {'backbone.conv1.weight': torch.zeros(1)}}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r'other\.pth: \d+ weights do not fit'):
        build_teacher({**config, 'checkpoint': str(tmp_path / 'other.pth')})
