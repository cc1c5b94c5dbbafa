# DTG-Net on small students, under an ImageNet classifier and a pose network; for two cores.
# Channels are those of the small R3D-18. From random weights JHMDB teaches it little of poses.
_base_ = 'dtg.py'

views = _base_.views
model = dict(
    data_preprocessor=dict(
        targets=[f'{v}.{name}' for v in views for name in ('valid', 'imagenet', 'pose')]
    ),
    # Any cue soon distinguishes few videos, so the teachers have more weight than the contrast.
    # Chosen on videos held out of JHMDB's training split.
    heads=dict(
        guidance=dict(
            in_channels=128,
            teachers=dict(
                _delete_=True,
                imagenet=dict(channels=1280),
                pose=dict(joints=17, deviation=True),
            ),
            contrast=0.2,
            agreement=5.0,
            weights=dict(type='FixedTeacherWeights', weights=dict(imagenet=4.0)),
        ),
        contrast=dict(in_channels=128),
    ),
    balancer=dict(weights=dict(contrast=0.1)),
)

load_targets = [
    dict(_base_.embedding, target='imagenet', cache='efficientnet_lite0_imagenet.lmdb'),
    dict(type='LoadTargets', target='pose', cache='pose.lmdb', views=views, layout='coco17'),
]
train_dataloader = dict(batch_size=16, num_workers=1)

train_cfg = dict(max_epochs=20)
warmup = dict(_base_.warmup, end=1)
cosine = dict(_base_.cosine, begin=1, end=20)
param_scheduler = [warmup, cosine]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=4))
