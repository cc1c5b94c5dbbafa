_base_ = ['../students/r3d18_small.py', 'hcpg_tasks.py']

backbone_name = 'r3d18-small'
model = _base_.tasks
for adapter in model.adapters.values():
    adapter.update(in_channels=128, out_channels=64)
for head in model.heads.values():
    head.in_channels = 64
for name in ('appearance', 'motion'):
    model.heads[name].hidden_dim = 256
model.heads.parsing.update(map_size=(16, 16), hidden_dim=32)
