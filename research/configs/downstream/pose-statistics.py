# Mean and deviation of joints, bones and motion over a clip: nothing is learned, --random gives it.
_base_ = 'mmact_ssl::downstream/gru-streams-common.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.pose_statistics'])

backbone_name = 'pose-statistics'
model = dict(
    backbone=dict(_delete_=True, type='mmact_ssl.PoseStatistics'), cls_head=dict(in_channels=270)
)
