_base_ = ['linear_stgcnpp_ntu60-xview.py', '../_base_/schedules/finetune_skeleton.py']
