# C2VL with a second prompt besides the sentences: the mean embedding over the clip's video. A clip
# without a video is left out of its loss.
_base_ = 'c2vl.py'

model = dict(
    data_preprocessor=dict(
        targets=('clip.prompt', 'clip.prompt_valid', 'clip.frames', 'clip.frames_valid')
    ),
    heads=dict(
        frames=dict(
            type='PromptMatchingHead',
            target='frames',
            in_channels=256,
            prompt_channels=1280,  # EfficientNet-Lite0
            alpha_max=0.5,
            cross_consistency=True,
            momentum=_base_.momentum,
        ),
    ),
)
load_frames = dict(
    type='LoadTargets',
    target='frames',
    cache='efficientnet_lite0_imagenet.lmdb',
    kind='embedding',
    views=('clip',),
    whole=True,
    missing='mask',
    key='videos/{}_rgb.avi',  # of NTU RGB+D
)
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, load_frames, *_base_.steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, load_frames, *_base_.steps]))
