# HCPG on small students, contrast in the batch; sized for two cores. Channels are those of the
# small R3D-18. The contrast of motion is learned on UTD-MHAD, and not on JHMDB.
_base_ = 'hcpg.py'

views = _base_.views
adapter = dict(in_channels=128, out_channels=64)
contrast = dict(in_channels=64, hidden_dim=256)
model = dict(
    adapters=dict(appearance=adapter, motion=adapter, parsing=adapter),
    heads=dict(
        appearance=contrast,
        motion=contrast,
        parsing=dict(in_channels=64, map_size=(16, 16), hidden_dim=32),
    ),
    # The contrasts recognize a video by its background, with a large gradient: with these weights
    # parsing has half of the feature map's gradient.
    balancer=dict(weights=dict(appearance=0.01, motion=0.01)),
)

train_dataloader = dict(batch_size=16, num_workers=1)

train_cfg = dict(max_epochs=20)
warmup = dict(_base_.warmup, end=1)
cosine = dict(_base_.cosine, begin=1, end=20)
param_scheduler = [warmup, cosine]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
