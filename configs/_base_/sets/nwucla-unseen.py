# NW-UCLA without the test clips that are copies of training clips, see docs/extend/data.md.
_base_ = 'nwucla.py'

dataset_name = 'nwucla-unseen'
test_set = dict(ann_file=f'{_base_.data_root}/xview_test_unseen.txt')
