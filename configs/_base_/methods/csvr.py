# One step:
#
#     clip, future, keyframes = frames(video)     # 16 frames, the 16 after them, 3 I-frames
#     early, last = student(clip)                 # the only pass through the student
#     static, dynamic = adapter(early), adapter(last)
#     pose    = distance(read(dynamic), poses of clip) + distance(predict(dynamic), poses of future)
#     context = info_nce(static, frame_encoder(keyframes))
#     current = distance(generate(static, dynamic), clip)
#     future  = distance(generate(static, dynamic, blurred last frame), future)
#     loss    = weighted sum                      # pose, current and future each with a GAN's loss
#     optimizer.step(), adversary.step()          # discriminators have their own optimizer
#
# CSVR on R3D-18: one student, adapters for the dynamic and the static feature, and three branches;
# the third has heads for current and future frames. `--cfg-options model.heads.pose=None` switches
# a task off (or context, current, future).
_base_ = ['video.py', '../schedules/pretrain_adamw.py']

generation = dict(
    type='FrameGenerationHead',
    in_channels=256,
    channels=256,
    discriminator_channels=32,
    resolutions=(16, 32, 64),
    frame_stride=2,
)
after_the_clip = dict(frames='future', valid='targets.future.valid', continued='clip')

model = dict(
    data_preprocessor=dict(
        views=('clip', 'future', 'keyframes'),
        targets=('clip.valid', 'future.valid', 'keyframes.valid', 'clip.pose', 'future.pose'),
    ),
    # The second stage's map shows places and colors, the last one shows actions.
    backbone=dict(out_indices=(1, 3)),
    shared_weights='layer2.1.conv2',  # the last layer that every task reads
    encode=('clip',),
    adapters=dict(
        dynamic=dict(type='ConvolutionAdapter', in_channels=512, out_channels=256),
        static=dict(type='ConvolutionAdapter', in_channels=128, out_channels=256, level=0),
    ),
    heads=dict(
        pose=dict(
            type='PosePredictionHead',
            in_channels=256,
            num_joints=17,
            observed_frames=16,
            hidden_dim=512,
        ),
        context=dict(
            type='ContextMatchingHead',
            in_channels=256,
            # Initialized as in torch (our choice), not as in mmpretrain.
            frame_encoder=dict(
                type='mmpretrain.ResNet', depth=18, init_cfg=None, zero_init_residual=False
            ),
            frame_channels=512,
            embedding_dim=128,
        ),
        current=generation,
        future=dict(generation, inputs=after_the_clip),
    ),
    balancer=dict(
        type='FixedWeights', weights=dict(pose=1.0, context=1.0, current=0.5, future=0.5)
    ),
)

load_poses = dict(
    type='LoadTargets', target='pose', cache='pose.lmdb', views=('clip', 'future'), layout='coco17'
)
pack = dict(type='PackInputs', views=('clip', 'future', 'keyframes'))
train_dataloader = dict(batch_size=16)

# The student learns by AdamW; the discriminators by Adam without momentum, as in TGANv2 (learning
# rate 2e-4, betas 0 and 0.9).
optim_wrapper = dict(
    constructor='AdversarialOptimWrapperConstructor',
    adversary=dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.0, 0.9))),
)
auto_scale_lr = dict(base_batch_size=128)  # 8 GPUs of 16 samples
