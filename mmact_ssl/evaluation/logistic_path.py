"""Logistic regression of many classes, fitted under one penalty after the other."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

# Nats of the mean cross-entropy: a fit ends with the step that gains less.
TOLERANCE = 1e-6


class LogisticPath:
    """Fits of one training set, each of which starts from the one before.

    They minimize what scikit-learn's ``LogisticRegression`` minimizes, with SciPy's L-BFGS too, but
    in other coordinates: features are turned and scaled so that the Hessian at equal probabilities
    of all classes is the identity. That takes several times fewer steps, and lets the step's gain
    decide when to stop. scikit-learn stops at the size of single gradients, which are the smaller
    the more classes there are: with 400 of them after a few steps, wherever these have led.

    Args:
        values: Standardized features ``(N, D)``; fits are in their precision.
        labels: Classes ``(N,)``, two of them or more.
    """

    def __init__(self, values: np.ndarray, labels: np.ndarray) -> None:
        self.values = values
        self.classes, self.labels = np.unique(labels, return_inverse=True)
        # Softmax has a Hessian of p (1 - p) for each class, about 1 / classes at the start.
        self.curvature = (values.T @ values).astype(np.float64)
        self.curvature /= self.labels.size * self.num_classes
        self.weights = np.zeros((values.shape[1], self.num_classes), values.dtype)
        self.bias = np.zeros(self.num_classes, values.dtype)

    @property
    def num_classes(self) -> int:
        """Number of classes in the training set."""
        return len(self.classes)

    def fit(self, penalty: float, max_iter: int = 1000) -> LogisticRegression:
        """Go on from the last fit to that of another inverse strength of the L2 penalty."""
        strength = 1 / (penalty * self.labels.size)
        if self.num_classes == 2:
            strength *= 2  # scikit-learn penalizes one vector, the difference of these two
        factor = self._factor(strength)
        at = _join(factor.T @ self.weights, self.bias / self.num_classes**0.5)
        # L-BFGS begins with a step of length 1; one as long as the gradient is Newton's.
        unit = float(np.linalg.norm(self._cost(at, factor, strength)[1])) or 1.0

        def cost(scaled: np.ndarray) -> tuple[float, np.ndarray]:
            loss, gradient = self._cost(scaled * unit, factor, strength)
            return loss, gradient * unit

        options = dict(maxiter=max_iter, ftol=TOLERANCE, gtol=0)
        found = minimize(cost, at / unit, jac=True, method='L-BFGS-B', options=options)
        self.weights, self.bias = self._split(found.x * unit, factor)
        return self._as_scikit_learn(penalty, found.nit)

    def _factor(self, strength: float) -> np.ndarray:
        """Lower triangle L: the Hessian at equal probabilities is ``L @ L.T``."""
        hessian, size = self.curvature.copy(), len(self.curvature)
        # Rounding may have made the curvature of features that others determine negative.
        hessian[np.diag_indices(size)] += strength + 1e-5 * np.trace(hessian) / size
        return cholesky(hessian, lower=True).astype(self.values.dtype)

    def _split(self, at: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights ``(D, classes)`` and bias of a point in the turned coordinates."""
        turned = at.astype(self.values.dtype).reshape(-1, self.num_classes)
        weights = solve_triangular(factor, turned[:-1], trans='T', lower=True)
        return weights, turned[-1] * np.float32(self.num_classes**0.5)

    def _cost(
        self, at: np.ndarray, factor: np.ndarray, strength: float
    ) -> tuple[float, np.ndarray]:
        """Mean cross-entropy with the penalty, and its gradient in the turned coordinates."""
        weights, bias = self._split(at, factor)
        rows = np.arange(self.labels.size)
        scores = self.values @ weights + bias
        scores -= scores.max(axis=1, keepdims=True)
        own = scores[rows, self.labels]
        probabilities = np.exp(scores, out=scores)
        total = probabilities.sum(axis=1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - own, dtype=np.float64)
        loss += 0.5 * strength * np.vdot(weights, weights).astype(np.float64)
        probabilities /= total
        probabilities[rows, self.labels] -= 1  # now the gradient of the scores
        probabilities /= self.labels.size
        gradient = self.values.T @ probabilities + np.float32(strength) * weights
        turned = solve_triangular(factor, gradient, lower=True)
        return float(loss), _join(turned, probabilities.sum(axis=0) * self.num_classes**0.5)

    def _as_scikit_learn(self, penalty: float, steps: int) -> LogisticRegression:
        model = LogisticRegression(C=penalty)
        model.classes_, model.n_features_in_ = self.classes, len(self.weights)
        model.n_iter_ = np.array([steps])
        weights, bias = self.weights.T.astype(np.float64), self.bias.astype(np.float64)
        if self.num_classes == 2:
            weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
        model.coef_, model.intercept_ = weights, bias
        return model


def _join(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.concatenate([weights.ravel(), bias]).astype(np.float64)
