# SPDX-License-Identifier: Apache-2.0
"""Programs as functions: what the tools call, for use from Python."""
