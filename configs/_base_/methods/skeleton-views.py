# Two augmented views of a skeleton clip for GRUs over joints, bones and motion. Our choice.
_base_ = ['skeleton.py', '../schedules/skeleton_adamw.py']

views = ('one', 'two')
model = dict(
    data_preprocessor=dict(views=views),
    encode=views,
    # The GRUs have no batch statistics to mix, and one large batch is faster than two.
    encode_together=True,
    pooling=dict(mode='mean_max', streams=3),
    # A GRU has no last layer that all outputs pass: compare the tasks' gradients on all weights.
    shared_weights='',
)

# Each view has its own crop, rotation, shear, flip, scale, jitter and mask. All clips have 32
# frames with warped time: features become independent of the recording's speed, which differs
# between cameras, and of the person's direction.
crop = dict(type='TemporalCrop', area=(0.5, 1.0), num_frames='$frames', warp=0.3)
change = [*_base_.jitter, dict(type='BonesAndMotion', motion_scale=10), _base_.mask]
# Some sets have actions that differ in left and right.
flip = [dict(type='SkeletonFlip')] if _base_.get('flip_ratio', 0.5) else []
augment = [crop, *_base_.move, *flip, *change]
pack = dict(type='PackInputs', views=views)
make_views = dict(type='MakeSkeletonViews', views=dict(one=augment, two=augment))
pipeline = [_base_.normalize, make_views, pack]
train_dataloader = dict(
    batch_size=64 if _base_.get('few_clips') else 128, dataset=dict(pipeline=pipeline)
)
test_dataloader = dict(dataset=dict(pipeline=pipeline))
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=40))
epochs = _base_.get('pretrain_epochs', 120)
train_cfg = dict(max_epochs=epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=epochs)]
