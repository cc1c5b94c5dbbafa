# C2VL on the skeletons of UTD-MHAD, step by step as on NW-UCLA. Random encoders and MS2L alone are
# in ms2l_utdmhad.py.
_base_ = 'c2vl_nwucla.py'

dataset = 'utdmhad-skeleton'
seeds = (0,)

evaluations = _base_.frozen
pretrain = 'configs/c2vl_gru_utdmhad.py'
pretrain_frames = 'configs/c2vl-frames_gru_utdmhad.py'
pretrain_together = 'configs/ms2l-c2vl_gru_utdmhad.py'
runs = [
    dict(method='C2VL', pretrain=pretrain, evaluations=evaluations),
    dict(method='C2VL', variant='frames', pretrain=pretrain_frames, evaluations=evaluations),
    dict(method='MS2L + C2VL', pretrain=pretrain_together, evaluations=evaluations),
    *[dict(rung, pretrain=pretrain, evaluations=evaluations) for rung in _base_.rungs],
]
