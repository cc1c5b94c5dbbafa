# MS2L's contrast of two views, and the restoration of a clip, on five sets of skeletons at once, by
# the joints that all layouts have (ToCommonJoints). Half of the views are pictures of a camera.
# `--set nwucla` names one of them, whose settings are not read.
_base_ = 'mmact_ssl::ms2l-twoview_gru.py'
parts = ('mmact_ssl', 'research.parts.clip_restoration', 'research.parts.project_to_camera')
custom_imports = dict(imports=[*parts])

from mmact_ssl.configs.shipped_configs import find_set, load_config  # noqa: E402

dataset_name = 'skeletons'
common = load_config('mmact_ssl::encoders/gru-streams-common.py').encoder
encoder = dict(_delete_=True, **common)
backbone = common.backbone
views = ('one', 'two', 'clip')
model = dict(
    data_preprocessor=dict(views=views),
    backbone=dict(backbone, encoder=dict(backbone.encoder, pool=None), _delete_=True),
    # The contrast alone discards what cameras hide, such as the direction of a movement.
    heads=dict(
        restoration=dict(
            type='ClipRestorationHead',
            in_channels=768,
            layout='common15',
            num_frames=8,
            view='one',
        )
    ),
    balancer=dict(type='FixedWeights', weights=dict(restoration=100.0)),
)

# Short clips and small batches, for more steps in the same time. The first view is the whole clip:
# its features restore the clip.
whole = dict(type='ResampleFrames', num_frames='$frames')
move = [
    dict(type='RandomRotation', degrees=(20, 60, 20)),
    dict(type='RandomShear', amplitude=0.3),
    dict(type='ProjectToCamera', ratio=0.5),
]
change = [*move, *_base_.change]
clip = [dict(whole, num_frames=8)]
make_views = dict(
    type='MakeSkeletonViews',
    views=dict(one=[whole, *change], two=[_base_.crop, *change], clip=clip),
)
# Both views are mirrored or neither: some actions differ in left and right.
prepare = [dict(type='ToCommonJoints'), _base_.normalize, dict(type='SkeletonFlip')]
pipeline = [*prepare, make_views, dict(_base_.pack, views=views)]

labeled = ('nwucla', 'utdmhad-skeleton', 'msraction3d', 'utkinect')
files = {name: load_config(find_set(name)) for name in labeled}
files['bandai-namco'] = load_config('{{ fileDirname }}/_base_/bandai-namco.py')
common = dict(type='SkeletonDataset', pipeline=pipeline)
# Bandai-Namco's clips are many and alike: the others come three times.
names = [*labeled * 3, 'bandai-namco']
sets = [dict(common, **files[name]['train_set']) for name in names]
tests = [dict(common, test_mode=True, **files[name]['test_set']) for name in labeled]
several = dict(_delete_=True, type='mmengine.ConcatDataset')
train_dataloader = dict(batch_size=64, dataset=dict(several, datasets=sets))
test_dataloader = dict(dataset=dict(several, datasets=tests))

# A step means the same with one set more or less.
steps = 400
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=steps)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=40, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=40, end=steps, by_epoch=False),
]
optim_wrapper = dict(optimizer=dict(lr=3e-3))
default_hooks = dict(checkpoint=dict(interval=1))
