_base_ = ['linear_gru_ntu60-xview.py', '../_base_/schedules/finetune_gru.py']
