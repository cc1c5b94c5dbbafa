# One step:
#
#     m    = clip[t + 1] - clip[t]                   # motion of the joints
#     mask = 90 % of the joints in segments of 4 frames, moving ones first
#     f    = student(clip without masked places)     # the visible joints alone
#     y    = decode(f, mask)                         # a light transformer, a token at masked places
#     loss = mean over masked places of (y - m)^2, each m at mean 0 and deviation 1
#     optimizer.step()
#
# MAMP (arXiv 2308.07092) with the sizes of its released code for NTU RGB+D 60: 400 epochs, batches
# of 128. The normalization and the gradient's norm of at most 5 are ours, and so is a crop of half
# a clip or more: the released one also has 64 frames or more.
_base_ = ['skeleton.py', '../schedules/skeleton_adamw.py']

views = ('clip',)
model = dict(
    data_preprocessor=dict(views=views, targets=('clip.mask',)),
    encode=views,
    heads=dict(motion=dict(type='MaskedMotionHead', in_channels=256, coordinates='$coordinates')),
)

segments = dict(type='MaskJointSegments', temperature=0.8)
augment = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames='$frames'),
    dict(type='RandomRotation', degrees=17),
]
pack = dict(type='PackInputs', views=views)
make_views = dict(type='MakeSkeletonViews', views=dict(clip=[*augment, segments]))
pipeline = [_base_.normalize, make_views, pack]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

# As in the released code biases and norms do not decay; nor does the mask token (our choice).
matrices_alone = dict(norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0)
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05, betas=(0.9, 0.95)), paramwise_cfg=matrices_alone
)
train_cfg = dict(max_epochs=400)
warmup = dict(_base_.warmup, end=20)
cosine = dict(_base_.cosine, begin=20, end=400, eta_min_ratio=0.5)
param_scheduler = [warmup, cosine]
