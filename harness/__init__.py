"""Exitscope's harness: runs the kernel on a machine, decodes what comes over the serial port, and judges it.

The Makefile calls it as `python3 -m harness`; pytest loads `harness.pytest_plugin`. Nothing here is imported
by the kernel, but the tables of the kernel (src/**/*.def) are read here.
"""
