"""The version of mmact_ssl, read by setuptools without importing the package."""

__version__ = '0.2.0'
