# C2VL on the skeletons of UTD-MHAD, step by step as on NW-UCLA. Random encoders and MS2L alone are
# in ms2l_utdmhad.py.
_base_ = 'c2vl_nwucla.py'

dataset = 'utdmhad-skeleton'
seeds = (0,)

evaluations = _base_.frozen
c2vl = dict(_base_.c2vl, evaluations=evaluations)
frames = dict(c2vl, variant='frames', pretrain='configs/c2vl-frames_gru.py')
together = dict(_base_.together, evaluations=evaluations)
rungs = [dict(rung, evaluations=evaluations) for rung in _base_.rungs]
runs = [c2vl, frames, together, *rungs]
