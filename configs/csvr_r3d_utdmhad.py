# CSVR on UTD-MHAD (real depth video) with poses from the sensor, sized for two cores.
_base_ = [
    '_base_/models/csvr_r3d18_small.py',
    '_base_/datasets/csvr_small.py',
    '_base_/schedules/csvr_small.py',
    '_base_/runtime/pretrain_small.py',
]

dataset_name = 'utdmhad'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad'
prepare_command = 'python tools/prepare_data.py utdmhad --source DIR'
# Actions last longer here than in JHMDB, and some differ only in left and right: no flip.
clip = dict(num_frames=8, stride=4)
future = dict(num_frames=8, stride=2)
train_pipeline = _base_.train_pipeline
train_pipeline[0].update(clip=clip, future=future)
train_pipeline[1].update(path=f'{data_root}/targets/pose.lmdb', layout='kinect20')
train_pipeline[3].transforms[2].update(layout='kinect20', flip_ratio=0.0)
train_pipeline[4].transforms[2].update(layout='kinect20', flip_ratio=0.0)
# The camera stands still: crops that move the person far would drown how the arms move.
crop = dict(area_range=(0.7, 1.0), aspect_ratio_range=(0.9, 1.1))
train_pipeline[3].transforms[0].update(crop)
train_pipeline[4].transforms[0].update(crop)
val_pipeline = _base_.val_pipeline
val_pipeline[0].update(clip=clip, future=future)
val_pipeline[1].update(path=f'{data_root}/targets/pose.lmdb', layout='kinect20')
# Without a background, an I-frame tells who moves, which is of no use for new subjects.
model = dict(
    heads=dict(pose=dict(num_joints=20)), balancer=dict(weights=dict(context=0.05, video=0.1))
)
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=data_root),
        prepare_command=prepare_command,
        pipeline=train_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/test.txt',
        data_prefix=dict(video=data_root),
        prepare_command=prepare_command,
        pipeline=val_pipeline,
    )
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=70)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=70, convert_to_iter_based=True),
]
