"""Transforms of skeleton clips: float32 ``(M, T, V, C)``, persons, frames, joints, coordinates."""
