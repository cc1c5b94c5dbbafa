# NTU RGB+D 120, cross-setup.
_base_ = 'ntu120-xsub.py'

dataset_name = 'ntu120-xset'
train_set = dict(ann_file=f'{_base_.data_root}/xset_train.txt')
test_set = dict(ann_file=f'{_base_.data_root}/xset_test.txt')
