"""Histograms of optical flow and of its derivatives (HOF, MBH) on 4 x 4 cells, by OpenCV, without
weights; a pair of frames to (24, 4, 4).
"""

teacher = dict(type='OpticalFlowTeacher')
