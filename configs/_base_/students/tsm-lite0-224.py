# The same network on frames of 224x224, at four times the time: (B*8, 3, 224, 224) ->
# (B*8, 1280, 7, 7).
_base_ = 'tsm-lite0.py'

backbone_name = 'tsm-lite0-224'
