# NTU RGB+D 60, cross-view.
_base_ = 'ntu60-xsub.py'

dataset_name = 'ntu60-xview'
train_set = dict(ann_file=f'{_base_.data_root}/xview_train.txt')
test_set = dict(ann_file=f'{_base_.data_root}/xview_test.txt')
