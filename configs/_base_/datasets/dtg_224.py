# DTG-Net's views for a 2D student: 8 frames with a stride of 8, at 224x224.
_base_ = 'dtg_112.py'

clip = dict(num_frames=8, stride=8)
sample_views = dict(type='SampleViews', clip=clip, clip_b=clip)
make_views = _base_.make_views
make_views[0].short_side = 256
make_views[1].transforms[1].scale = (224, 224)
make_views[2].transforms[1].scale = (224, 224)
