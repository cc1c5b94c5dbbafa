from .pretext_data_preprocessor import PretextDataPreprocessor

__all__ = ['PretextDataPreprocessor']
