_base_ = ['linear_stgcnpp_ntu60-xsub.py', '../_base_/schedules/finetune_skeleton.py']
