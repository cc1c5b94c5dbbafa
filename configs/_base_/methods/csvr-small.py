# CSVR on small students, with heads to match the small R3D-18, sized for two cores.
# Poses and frames to come beat holding the last ones on UTD-MHAD, whose camera is still, and not on
# JHMDB.
_base_ = 'csvr.py'

generation = dict(
    in_channels=128,
    channels=64,
    discriminator_channels=8,
    resolutions=(16, 32),
)
model = dict(
    adapters=dict(
        dynamic=dict(in_channels=128, out_channels=128),
        static=dict(in_channels=32, out_channels=128),
    ),
    heads=dict(
        pose=dict(in_channels=128, observed_frames=8, hidden_dim=256),
        context=dict(
            in_channels=128,
            frame_encoder=dict(base_channels=16, stem_channels=16),
            frame_channels=128,
            hidden_dim=256,
        ),
        current=generation,
        future=generation,
    ),
    # Under Adam these weights do not change how a head's own parameters train. They set which task
    # shapes the feature map: mostly poses. A larger weight of frames gives better frames and a
    # worse student.
    balancer=dict(weights=dict(pose=20.0, context=0.5, current=1.0, future=1.0)),
)

train_dataloader = dict(num_workers=1)
train_cfg = dict(max_epochs=40)
warmup = dict(_base_.warmup, end=1)
cosine = dict(_base_.cosine, begin=1, end=40)
param_scheduler = [warmup, cosine]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
