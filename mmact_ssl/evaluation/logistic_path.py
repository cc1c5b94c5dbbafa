"""Logistic regression of many classes, fitted under one penalty after the other."""

from __future__ import annotations

import logging

import numpy as np
from mmengine.logging import print_log
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.optimize import OptimizeResult, minimize
from sklearn.linear_model import LogisticRegression

# Share of the loss: a fit ends with the step that gains less.
TOLERANCE = 1e-5


class LogisticPath:
    """Fits of one training set, each of which starts from the one before.

    They minimize what scikit-learn's ``LogisticRegression`` minimizes, with SciPy's L-BFGS too, but
    preconditioned: in coordinates in which the Hessian would be the identity if all classes and
    samples were equally uncertain. That takes fewer steps. A fit stops by the gain of a step.
    scikit-learn stops at the size of single gradients, which is the smaller the more classes there
    are: with 400 of them after a few steps.

    Args:
        values: Standardized features ``(N, D)``; fits are in their precision.
        labels: Classes ``(N,)``.

    Raises:
        ValueError: There is one class.
    """

    def __init__(self, values: np.ndarray, labels: np.ndarray) -> None:
        self.values = values
        self.classes, self.labels = np.unique(labels, return_inverse=True)
        if self.num_classes < 2:
            raise ValueError('logistic regression needs two classes or more')
        self.second_moment = (values.T @ values).astype(np.float64) / self.labels.size
        self.uncertainty = 1.0  # 1 minus the sum of squared probabilities, in the mean
        self.weights = np.zeros((values.shape[1], self.num_classes), values.dtype)
        self.bias = np.zeros(self.num_classes, values.dtype)

    @property
    def num_classes(self) -> int:
        """Number of classes in the training set."""
        return len(self.classes)

    def fit(self, penalty: float, max_iter: int = 1000) -> LogisticRegression:
        """Fit under an inverse strength of the L2 penalty, starting from the last fit."""
        strength = 1 / (penalty * self.labels.size)
        if self.num_classes == 2:
            strength *= 2  # scikit-learn penalizes one vector, the difference of these two
        factor = self._factor(strength)
        at = _join(factor.T @ self.weights, self.bias / self.num_classes**0.5)
        last, gradient = self._cost(at, factor, strength)
        # L-BFGS begins with a step of length 1; one as long as the gradient is Newton's.
        unit = float(np.linalg.norm(gradient)) or 1.0

        def cost(scaled: np.ndarray) -> tuple[float, np.ndarray]:
            loss, gradient = self._cost(scaled * unit, factor, strength)
            return loss, gradient * unit

        def stop(intermediate_result: OptimizeResult) -> None:
            nonlocal last
            gain, last = last - intermediate_result.fun, intermediate_result.fun
            if gain < TOLERANCE * last:
                raise StopIteration

        options = dict(maxiter=max_iter, ftol=0, gtol=0)
        found = minimize(
            cost, at / unit, jac=True, method='L-BFGS-B', callback=stop, options=options
        )
        if found.nit == max_iter:
            print_log(
                f'logistic regression, C={penalty:g}: not converged after max_iter={max_iter}',
                'current',
                logging.WARNING,
            )
        self.weights, self.bias = self._split(found.x * unit, factor)
        return self._as_scikit_learn(penalty, max_iter, found.nit)

    def _factor(self, strength: float) -> np.ndarray:
        """Lower triangle L: the Hessian of a class's weights is about ``L @ L.T``."""
        # p (1 - p) for each class, in the mean over classes and samples.
        hessian = self.second_moment * (self.uncertainty / self.num_classes)
        size, ridge = len(hessian), 1e-5
        while True:
            added = strength + ridge * np.trace(hessian) / size
            try:
                factor = cholesky(hessian + added * np.eye(size), lower=True)
                return factor.astype(self.values.dtype)
            except LinAlgError:  # by rounding, where features determine each other
                ridge *= 10

    def _split(self, at: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights ``(D, classes)`` and bias of a point in preconditioned coordinates."""
        turned = at.astype(self.values.dtype).reshape(-1, self.num_classes)
        weights = solve_triangular(factor, turned[:-1], trans='T', lower=True)
        return weights, turned[-1] * np.float32(self.num_classes**0.5)

    def _cost(
        self, at: np.ndarray, factor: np.ndarray, strength: float
    ) -> tuple[float, np.ndarray]:
        """Mean cross-entropy with the penalty, and its gradient in preconditioned coordinates."""
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
        # Rounding could make it negative where all samples are certain.
        certainty = float(np.vdot(probabilities, probabilities)) / self.labels.size
        self.uncertainty = max(1 - certainty, 1e-6)
        probabilities[rows, self.labels] -= 1  # now the gradient of the scores
        probabilities /= self.labels.size
        gradient = self.values.T @ probabilities + np.float32(strength) * weights
        turned = solve_triangular(factor, gradient, lower=True)
        return float(loss), _join(turned, probabilities.sum(axis=0) * self.num_classes**0.5)

    def _as_scikit_learn(self, penalty: float, max_iter: int, steps: int) -> LogisticRegression:
        model = LogisticRegression(C=penalty, max_iter=max_iter)
        model.classes_, model.n_features_in_ = self.classes, len(self.weights)
        model.n_iter_ = np.array([steps])
        weights, bias = self.weights.T.astype(np.float64), self.bias.astype(np.float64)
        if self.num_classes == 2:
            weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
        model.coef_, model.intercept_ = weights, bias
        return model


def _join(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.concatenate([weights.ravel(), bias]).astype(np.float64)
