# The GRUs over streams, with features averaged over six copies of a clip: unchanged and rotated by
# -30 and 30 degrees, each also mirrored. For frozen features; not comparable with papers' numbers.
_base_ = 'mmact_ssl::encoders/gru-streams.py'
custom_imports = dict(imports=['mmact_ssl', 'research.parts.turned_copies'])

encoder = dict(
    name='gru-streams-copies',
    clip=[
        *_base_.encoder.clip[:2],
        dict(
            type='mmact_ssl.TurnedCopies',
            degrees=(-30, 0, 30),
            transforms=[_base_.encoder.clip[2]],
        ),
        *_base_.encoder.clip[3:],
    ],
)
