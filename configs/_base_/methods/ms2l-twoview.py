# One step:
#
#     one, two = augment(clip), augment(clip)     # cut, turned, sheared, mirrored, jittered, masked
#     for stream in (joint, bone, motion):        # a GRU and a projector each
#         z_one, z_two = project(student(one)), project(student(two))
#         contrast += nt_xent(z_one, z_two)       # other clips of the batch are the negatives
#     optimizer.step()
#
# MS2L's contrast between two augmented views of a clip, separately for each stream, on GRUs over
# joints, bones and motion.
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
    heads=dict(
        contrast=dict(
            type='ContrastHead',
            in_channels=768,  # mean and maximum of three streams
            streams=3,
            views=views,
            target='pair',
            loss=dict(type='NTXentLoss', temperature=0.1, self_similarity=None),
            hidden_dim=512,
            embedding_dim=128,
        ),
    ),
)

# Each view has its own crop, rotation, shear, flip, scale, jitter and mask. All clips have 32
# frames with warped time: features become independent of the recording's speed, which differs
# between cameras, and of the person's direction.
move = [
    dict(type='TemporalCrop', area=(0.5, 1.0), num_frames=32, warp=0.3),
    dict(type='RandomRotation', degrees=(30, 180, 30)),
    dict(type='RandomShear', amplitude=0.3),
]
change = [
    dict(type='RandomScale', amplitude=0.1),
    dict(type='JointJitter', deviation=0.01, clip_deviation=0.02),
    dict(type='BonesAndMotion', motion_scale=10),
    dict(type='JointMask', fraction=(0.1, 0.3)),
]
mirrored = [*move, dict(type='SkeletonFlip'), *change]
# For sets whose actions differ in left and right, and for views that meet sentences.
never_mirrored = [*move, *change]
pack = dict(type='PackInputs', views=views)
make_views = dict(type='MakeSkeletonViews', views=dict(one=mirrored, two=mirrored))
pipeline = [_base_.normalize, make_views, pack]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=40))
