# C2VL with a second prompt besides the sentences, the mean embedding of the frames of a skeleton
# clip's video: --set ntu60-xsub, ntu60-xview, ntu120-xsub, ntu120-xset, utdmhad-skeleton or
# demo-skeleton. The loss leaves out clips without a video.
_base_ = 'c2vl_stgcn.py'

frames_head = dict(
    type='PromptMatchingHead',
    target='frames',
    in_channels=256,
    prompt_channels=1280,  # EfficientNet-Lite0
    alpha_max=0.5,
    cross_consistency=True,
    momentum=0.999,
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
# Sets tell the cache, or the name of a clip's video in it.
load_frames.update(_base_.get('frames', {}))
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, load_frames, *_base_.steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, load_frames, *_base_.steps]))
