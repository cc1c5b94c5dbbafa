# The GRUs over streams on the joints that all layouts have: one network for every skeleton, in
# space or in a picture. Clips of 16 frames; of several persons the first.
_base_ = 'gru-streams.py'

encoder = dict(
    name='gru-streams-common',
    options=dict(_delete_=True, frames=16),
    backbone=dict(encoder=dict(layout='common15', num_persons=1, in_channels=3)),
    clip=[
        dict(type='mmact_ssl.ToCommonJoints'),
        dict(type='mmact_ssl.NormalizeSkeleton'),
        dict(type='mmact_ssl.ResampleFrames', num_frames='$frames'),
        dict(type='mmact_ssl.BonesAndMotion', motion_scale=10),
        dict(type='mmaction.FormatGCNInput', num_person=1),
        dict(type='mmaction.PackActionInputs'),
    ],
    finetune=dict(
        clip=[
            dict(type='mmact_ssl.ToCommonJoints'),
            dict(type='mmact_ssl.NormalizeSkeleton'),
            dict(type='mmact_ssl.TemporalCrop', area=(0.5, 1.0), num_frames='$frames'),
            dict(type='mmact_ssl.RandomRotation', degrees=30),
            dict(type='mmact_ssl.RandomShear', amplitude=0.3),
            dict(type='mmact_ssl.SkeletonFlip', flip_ratio='$flip_ratio'),
            dict(type='mmact_ssl.BonesAndMotion', motion_scale=10),
            dict(type='mmaction.FormatGCNInput', num_person=1),
            dict(type='mmaction.PackActionInputs'),
        ],
    ),
)
