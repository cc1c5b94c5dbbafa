# MS2L's contrast of two views on several sets of skeletons at once, by the joints that all layouts
# have. Half of the views lose their depth, as in a picture.
_base_ = ['_base_/students/gru-streams.py', '_base_/methods/ms2l-twoview.py']

from mmact_ssl.shipped_configs import read_set  # noqa: E402

dataset_name = 'skeletons'
bodies = dict(layout='common15', num_persons=1)
model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **bodies)))

# Both views are mirrored or neither: some sets' actions differ in left and right.
crop, rotate, shear, *change = _base_.never_mirrored
view = [crop, rotate, shear, dict(type='DropDepth'), *change]
make_views = dict(type='MakeSkeletonViews', views=dict(one=view, two=view))
pipeline = [dict(type='ToCommonJoints'), _base_.normalize, dict(type='SkeletonFlip'), make_views, _base_.pack]
names = ('nwucla', 'utdmhad-skeleton', 'msraction3d', 'utkinect', 'bandai-namco')
common = dict(type='SkeletonDataset', pipeline=pipeline)
sets = {name: dict(common, **read_set(name)['train_set']) for name in names}
train_dataloader = dict(
    dataset=dict(_delete_=True, type='mmengine.ConcatDataset', datasets=list(sets.values()))
)
