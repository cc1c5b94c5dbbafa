# A second prompt of C2VL: the mean embedding of the frames of a skeleton clip's video. The loss
# leaves out clips without a video.
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
