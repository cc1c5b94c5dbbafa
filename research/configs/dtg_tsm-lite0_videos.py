# DTG-Net on four sets of unlabeled video at once, each with its own target caches, by the recipe of
# configs/dtg_tsm-lite0.py. The poses are of several layouts: the teacher's key points of JHMDB and
# ARID, the sensor's of UTD-MHAD (depth), the true ones of the demo world (synthetic). `--set jhmdb`
# names the set whose crops and flips are those of all but UTD-MHAD.
_base_ = 'mmact_ssl::dtg_tsm-lite0.py'
parts = ('mmact_ssl', 'research.parts.common_poses', 'research.parts.even_sampler')
custom_imports = dict(imports=[*parts])

from mmact_ssl.configs.shipped_configs import find_set, load_config  # noqa: E402

dataset_name = 'videos'
views = _base_.views
model = dict(
    heads=dict(guidance=dict(teachers=dict(pose=dict(joints=15)))),
)

embedding, poses = _base_.load_targets
load_targets = [embedding, dict(poses, layout=None), dict(type='ToCommonPoses', views=views)]
sample_views = _base_.sample_views
test_views = dict(sample_views, test_mode=True)


def augmented(crop, flip_ratio):
    flip = dict(_base_.flip, layout='common15', flip_ratio=flip_ratio)
    augment = [crop, _base_.resize, flip, _base_.jitter]
    each = [dict(type='TransformViews', views=(view,), transforms=augment) for view in views]
    return [sample_views, *load_targets, decode, *each, pack]


decode, pack = _base_.decode, _base_.pack
places = dict(
    jhmdb='jhmdb', utdmhad='utdmhad', arid='{{ fileDirname }}/_base_/arid.py', demo='demo'
)
files = {name: load_config(find_set(place)) for name, place in places.items()}
pipelines = {name: augmented(_base_.crop, 0.5) for name in files}
# As everywhere on UTD-MHAD: gentle crops, and no flip where actions differ in left and right.
pipelines['utdmhad'] = augmented(files['utdmhad']['crop'], 0.0)
test_pipeline = [test_views, *load_targets, *_base_.make_test_views, pack]

common = dict(type='PretextVideoDataset')
names = list(files)
# 154 clips of the synthetic world, about as many as ARID has: every fifth, of all actions.
some = dict(demo=dict(indices=list(range(0, 768, 5))))
sets = [
    dict(common, pipeline=pipelines[name], **files[name]['train_set'], **some.get(name, {}))
    for name in names
]
tests = [
    dict(common, test_mode=True, pipeline=test_pipeline, **part['test_set'])
    for part in files.values()
]
several = dict(_delete_=True, type='mmengine.ConcatDataset')
# A set of 150 clips counts as much as one of 675. An epoch has 32 steps.
even = dict(_delete_=True, type='EvenSampler', samples=256)
train_dataloader = dict(sampler=even, dataset=dict(several, datasets=sets))
test_dataloader = dict(dataset=dict(several, datasets=tests))

# A step means the same with one set more or less. Few, for two cores: on JHMDB 150 were enough.
steps = 64
train_cfg = dict(_delete_=True, type='StepsTrainLoop', max_iters=steps)
warm = steps // 4
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=warm, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=warm, end=steps, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(interval=1))
