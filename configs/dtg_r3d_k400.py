# DTG-Net on Kinetics-400 in mmaction2's layout: R3D-18, two clips of 16 frames.
_base_ = 'dtg_r3d.py'
