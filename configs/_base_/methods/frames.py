# The frames of a skeleton clip's video as a second prompt of C2VL: their mean embedding. A clip
# without a video is left out of its loss.
frames_targets = ('clip.prompt', 'clip.prompt_valid', 'clip.frames', 'clip.frames_valid')
frames_head = dict(
    type='PromptMatchingHead',
    target='frames',
    in_channels=256,
    prompt_channels=1280,  # EfficientNet-Lite0
    alpha_max=0.5,
    cross_consistency=True,
    momentum=0.999,
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
