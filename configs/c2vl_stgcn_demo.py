# C2VL on the skeletons of the demo world (synthetic), which have videos too: sentences from the
# joints' motion, and as a second modality the mean embedding of the clip's frames. The world's own
# sentences.json is written from its labels and is no target.
_base_ = 'c2vl_stgcn_ntu60-xsub.py'

dataset_name = 'demo-skeleton'
synthetic = True
world = '{{$MMACT_SSL_DATA:data}}/demo'
data_root = f'{world}/skeleton'
prompts = f'{data_root}/targets/prompts.lmdb'
folder = dict(
    data_prefix=dict(skeleton=data_root),
    prepare_command='python tools/prepare_data.py custom --source data/demo/skeletons.npz '
    '--layout ntu25 --out data/demo/skeleton --left-handed '
    '--train-subjects 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15',
)
momentum = 0.99  # some hundred steps
model = dict(
    data_preprocessor=dict(
        targets=('clip_prompt', 'clip_prompt_valid', 'clip_frames', 'clip_frames_valid')
    ),
    momentum_encoder=dict(momentum=momentum),
    heads=dict(
        prompts=dict(momentum=momentum),
        frames=dict(
            type='PromptMatchingHead',
            target='frames',
            in_channels=256,
            prompt_channels=1280,  # EfficientNet-Lite0
            cross_consistency=True,
            momentum=momentum,
        ),
    ),
)
frames = dict(
    type='LoadTargetCache',
    path=f'{world}/targets/efficientnet_lite0_imagenet.lmdb',
    target='frames',
    kind='embedding',
    views=('clip',),
    whole=True,
    missing='mask',
)
base_train_pipeline = _base_.train_pipeline
base_train_pipeline[0].path = prompts
# Clips hold 48 frames.
augment = [{**_base_.augment[0], 'num_frames': 32}, *_base_.augment[1:]]
view = dict(type='MakeSkeletonViews', views=dict(clip=augment))
train_pipeline = [
    base_train_pipeline[0],
    frames,
    base_train_pipeline[1],
    view,
    base_train_pipeline[3],
]
base_test_pipeline = _base_.test_pipeline
base_test_pipeline[0].path = prompts
test_pipeline = [base_test_pipeline[0], frames, base_test_pipeline[1], view, base_test_pipeline[3]]
train_dataloader = dict(
    num_workers=1,
    dataset=dict(ann_file=f'{data_root}/xsub_train.txt', pipeline=train_pipeline, **folder),
)
test_dataloader = dict(
    dataset=dict(ann_file=f'{data_root}/xsub_test.txt', pipeline=test_pipeline, **folder)
)
# For less than an hour on two cores.
max_epochs = 40
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=5, end=max_epochs, convert_to_iter_based=True),
]
custom_hooks = [*_base_.custom_hooks, dict(type='SoftTargetHook', alpha_max=0.5, task='frames')]
default_hooks = dict(logger=dict(interval=4), checkpoint=dict(interval=10))
