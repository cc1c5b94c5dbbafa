# The same, for NW-UCLA, where all cameras' clips of a performance share a label: a tenth of the
# labels are 102, which 183 to 196 clips share. Not comparable with papers' numbers.
_base_ = 'gru-streams-copies.py'

backbone_name = 'gru-streams-copies-shared-labels'
# a01_s01_e00_v01 and a01_s01_e00_v02 show one performance.
shared_label_pattern = r'(.+)_v\d+$'
