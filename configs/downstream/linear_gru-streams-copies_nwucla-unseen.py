# NW-UCLA without the test clips that are copies of training clips, see docs/data.md.
_base_ = 'linear_gru-streams-copies_nwucla.py'

dataset_name = 'nwucla-unseen'
unseen = f'{_base_.data_root}/xview_test_unseen.txt'
test_dataloader = dict(dataset=dict(ann_file=unseen))
