# CSVR on the demo world (synthetic), with the poses of the small mmpose teacher trained on it.
_base_ = 'csvr_r3d18-small.py'

generation = dict(frame_stride=4, adversarial=None)
model = dict(
    # Few generated frames, without discriminators, for minutes on two cores.
    heads=dict(current=generation, future=generation),
    # Places are random in each clip here, independent of the action.
    balancer=dict(weights=dict(context=0.05)),
)
keyframes = dict(num_frames=2)
sample_views = dict(_base_.sample_views, keyframes=keyframes)
sample_test_views = dict(sample_views, test_mode=True)
train_pipeline = [sample_views, _base_.load_poses, *_base_.make_views]
test_pipeline = [sample_test_views, _base_.load_poses, *_base_.make_test_views]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=2e-3), adversary=dict(optimizer=dict(lr=6e-4)))
train_cfg = dict(max_epochs=16)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=16)]
