# Pipelines of clips of 32 frames as joints, bones and motion, as in pre-training between two views.
# Frozen features are taken without augmentation; fine-tuning cuts, turns, shears and mirrors. The
# configs that inherit this put them in their data loaders.
streams_test_pipeline = [
    dict(type='mmact_ssl.NormalizeSkeleton', mode='first_frame'),
    dict(type='mmact_ssl.ResampleFrames', num_frames=32),
    dict(type='mmact_ssl.BonesAndMotion', motion_scale=10),
    dict(type='mmaction.FormatGCNInput', num_person=1),
    dict(type='mmaction.PackActionInputs'),
]
streams_train_pipeline = [
    streams_test_pipeline[0],
    dict(type='mmact_ssl.TemporalCrop', area=(0.5, 1.0), num_frames=32),
    dict(type='mmact_ssl.RandomRotation', degrees=30),
    dict(type='mmact_ssl.RandomShear', amplitude=0.3),
    dict(type='mmact_ssl.SkeletonFlip'),
    *streams_test_pipeline[2:],
]
