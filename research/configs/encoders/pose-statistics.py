# Mean and deviation of joints, bones and motion over a clip: nothing is learned, --random gives it.
_base_ = 'mmact_ssl::encoders/gru-streams-common.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.pose_statistics'])

encoder = dict(
    name='pose-statistics',
    backbone=dict(_delete_=True, type='mmact_ssl.PoseStatistics'),
    channels=270,
)
