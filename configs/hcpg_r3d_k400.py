# HCPG on Kinetics-400 in mmaction2's layout: R3D-18, two clips of 16 frames at two speeds,
# contrasted with the keys of a momentum encoder in a queue.
_base_ = 'hcpg_r3d.py'
