_base_ = ['linear_gru_ntu60-xsub.py', '../_base_/schedules/finetune_gru.py']
