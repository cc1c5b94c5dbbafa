# C2VL on GRUs over joints, bones and motion, with the frames of the clips' videos as a second
# prompt: --set utdmhad-skeleton or another set with videos.
_base_ = 'mmact_ssl::c2vl_gru.py'

frames_head = dict(
    type='PromptMatchingHead',
    target='frames',
    in_channels=768,
    prompt_channels=1280,  # EfficientNet-Lite0
    alpha_max=0.5,
    cross_consistency=True,
    momentum=_base_.momentum,
)
model = dict(
    data_preprocessor=dict(
        targets=('clip.prompt', 'clip.prompt_valid', 'clip.frames', 'clip.frames_valid')
    ),
    heads=dict(frames=frames_head),
)
load_frames = dict(
    type='LoadTargets',
    target='frames',
    cache='efficientnet_lite0_imagenet.lmdb',
    kind='embedding',
    views=('clip',),
    whole=True,
    missing='mask',
)
load_frames.update(_base_.get('frames', {}))
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, load_frames, *_base_.steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, load_frames, *_base_.steps]))
