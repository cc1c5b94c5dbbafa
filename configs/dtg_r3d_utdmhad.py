# DTG-Net on UTD-MHAD (real depth video), guided by the poses of its sensor. An image classifier has
# never seen depth, so that there is one teacher.
_base_ = 'dtg_r3d_jhmdb.py'

dataset_name = 'utdmhad'
data_root = '{{$MMACT_SSL_DATA:data}}/utdmhad'
folder = dict(
    data_prefix=dict(video=data_root),
    prepare_command='python tools/prepare_data.py utdmhad --source DIR',
)
teachers = dict(imagenet=None, pose=dict(joints=20))
targets = [_base_.targets[1]]
targets[0].update(path=f'{data_root}/targets/pose.lmdb', layout='kinect20')
# As for CSVR: actions last longer here than in JHMDB, some differ only in left and right, and the
# camera stands still.
clip = dict(num_frames=8, stride=4)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
sample_test_views = dict(type='SampleViews', clip=clip, clip_b=clip, test_mode=True)
make_views = _base_.make_views
for view in make_views[1:3]:
    view.transforms[0].update(area_range=(0.7, 1.0), aspect_ratio_range=(0.9, 1.1))
    view.transforms[2].update(layout='kinect20', flip_ratio=0.0)
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/train.txt',
        pipeline=[sample_views, *targets, *make_views],
        **folder,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/test.txt',
        pipeline=[sample_test_views, *targets, *_base_.make_test_views],
        **folder,
    )
)
model = dict(
    data_preprocessor=dict(targets=['clip_valid', 'clip_pose', 'clip_b_valid', 'clip_b_pose']),
    heads=dict(guidance=dict(teachers=teachers, weights=None)),
)
train_cfg = dict(max_epochs=30)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=30, convert_to_iter_based=True),
]
