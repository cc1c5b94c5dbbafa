_base_ = ['linear_aagcn_ntu60-xsub.py', '../_base_/schedules/finetune_skeleton.py']
