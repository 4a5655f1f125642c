# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON (RFC 8785), shared with the verifier so that both compute the same bytes."""

from lingqu_verify.canon import NotCanonical, decode, encode

__all__ = ("NotCanonical", "decode", "encode")
