_base_ = ['linear_gru_utdmhad-skeleton.py', '../_base_/schedules/finetune_gru.py']
