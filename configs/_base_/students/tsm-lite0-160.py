# The same network on frames of 160x160: (B*8, 3, 160, 160) -> (B*8, 1280, 5, 5). Twice the time.
_base_ = 'tsm-lite0.py'

backbone_name = 'tsm-lite0-160'
