# SPDX-License-Identifier: Apache-2.0
"""A procedural world of acting people: synthetic video with exact truth, for demos and tests."""
