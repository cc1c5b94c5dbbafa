# DTG-Net on the student from ImageNet and latent prediction (configs/latent_vit-tiny.py has its
# step), together, on --set jhmdb or another set. A third view has the frames of the first, of which
# the student sees 40 % of the patches; it cannot leave patches out and reads zeros there.
_base_ = 'mmact_ssl::dtg_tsm-lite0.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.copy_view'])

views = ('clip', 'clip_b', 'masked')
model = dict(
    data_preprocessor=dict(
        views=views,
        targets=[
            f'{v}.{name}' for v in ('clip', 'clip_b') for name in ('valid', 'imagenet', 'pose')
        ]
        + ['masked.valid', 'masked.mask'],
    ),
    encode=views,
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
copy = dict(type='CopyView', view='masked', source='clip')
mask = dict(type='MaskTubes', view='masked', patch=(1, 16, 16), ratio=0.6)
pack = dict(type='PackInputs', views=views)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_steps, copy, mask, pack]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_steps, copy, mask, pack]))
