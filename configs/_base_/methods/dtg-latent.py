# DTG-Net on the student from ImageNet (dtg-tsm.py) and latent prediction (latent.py), together. A
# third view has the frames of the first, of which the student sees 40 % of the patches; it cannot
# leave patches out and reads zeros there.
_base_ = 'dtg-tsm.py'

model = dict(
    data_preprocessor=dict(
        views=('clip', 'clip_b', 'masked'),
        targets=[
            f'{v}.{name}' for v in ('clip', 'clip_b') for name in ('valid', 'imagenet', 'pose')
        ]
        + ['masked.valid', 'masked.mask'],
    ),
    encode=('clip', 'clip_b', 'masked'),
    momentum_encoder=dict(views=('masked',), momentum=0.99),
    heads=dict(
        latent=dict(
            type='LatentPredictionHead',
            in_channels=1280,
            view='masked',
            hidden_dim=192,
            depth=1,
            num_heads=3,
        ),
    ),
)
mask = dict(type='MaskTubes', view='masked', source='clip', patch=(1, 16, 16), ratio=0.6)
pack = dict(type='PackInputs', views=('clip', 'clip_b', 'masked'))
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_steps, mask, pack]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_steps, mask, pack]))
