# Pre-training on the target itself, for comparison with transfer from NW-UCLA.
_base_ = 'ms2l_msraction3d.py'

dataset = 'utkinect'
