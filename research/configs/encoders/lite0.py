# EfficientNet-Lite0 without the temporal shift.
_base_ = 'mmact_ssl::encoders/tsm-lite0.py'

encoder = dict(name='lite0', backbone=dict(num_segments=1))
