# SPDX-License-Identifier: Apache-2.0
"""Turning data sets as they are distributed into the folders that the configs read."""
