from .adversarial import AdversarialOptimWrapper, AdversarialOptimWrapperConstructor

__all__ = ['AdversarialOptimWrapper', 'AdversarialOptimWrapperConstructor']
