# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/check-samples as a module: its truth files, its checker."""
import importlib.machinery
import importlib.util
import os

_path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "check-samples")
_loader = importlib.machinery.SourceFileLoader("check_samples", _path)
samples = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_samples", _loader))
_loader.exec_module(samples)
