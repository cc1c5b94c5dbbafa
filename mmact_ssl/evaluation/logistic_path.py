"""Logistic regression of many classes, fitted for a series of penalties."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmengine.logging import print_log
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

# A fit ends with a step that gains less than this fraction of the loss.
TOLERANCE = 3e-6


def sample_basis(values: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the samples ``(N, D)``, ``(D, min(N, D))``.

    The best weights under an L2 penalty are sums of samples: in this basis the fit is the same,
    with fewer weights.
    """
    return np.linalg.qr(values.T)[0]


def fit_path(
    values: np.ndarray,
    labels: np.ndarray,
    penalties: Sequence[float],
    max_iter: int = 1000,
    device: str = 'cpu',
) -> Iterator[LogisticRegression]:
    """Fit for each inverse strength of the L2 penalty, starting from the previous fit.

    The loss is that of scikit-learn's ``LogisticRegression``, and the method is L-BFGS, too, but in
    coordinates in which the Hessian would be the identity if all classes and samples were equally
    uncertain: this takes fewer steps. scikit-learn stops at the size of single gradients, which
    shrinks with the number of classes: for 400 classes it stops after a few steps.

    Args:
        values: Standardized features ``(N, D)``.
        labels: Classes ``(N,)``, two or more.
        penalties: Inverse strengths, ascending, so that weights grow from fit to fit.
        max_iter: Largest number of steps of a fit; a fit that has not converged is logged.
        device: Device of the fits, which are in single precision.
    """
    names, places = np.unique(labels, return_inverse=True)
    x = torch.as_tensor(values, dtype=torch.float32, device=device)
    y = torch.as_tensor(places, device=device)
    second_moment = (x.T @ x).double() / len(y)  # (D, D)
    weights = x.new_zeros(x.shape[1], len(names))
    bias = x.new_zeros(len(names), requires_grad=True)
    uncertainty = 1.0  # mean of 1 minus the sum of squared probabilities
    for penalty in penalties:
        # For two classes scikit-learn penalizes one vector, the difference of these two.
        strength = (2 if len(names) == 2 else 1) / (penalty * len(y))
        hessian = second_moment * (uncertainty / len(names))
        # Rounding may leave negative curvature where features determine each other.
        hessian.diagonal().add_(strength + 1e-5 * hessian.diagonal().mean())
        factor = torch.linalg.cholesky(hessian, upper=True).float()
        weights, steps = _minimize(x, y, weights, bias, factor, strength, max_iter)
        if steps >= max_iter:
            print_log(
                f'logistic regression, C={penalty:g}: not converged after max_iter={max_iter}',
                'current',
                logging.WARNING,
            )
        certainty = (x @ weights + bias).detach().softmax(dim=1).square().sum(dim=1).mean()
        uncertainty = max(1 - certainty.item(), 1e-6)
        model = LogisticRegression(C=penalty, max_iter=max_iter)
        model.classes_, model.n_features_in_, model.n_iter_ = names, x.shape[1], np.array([steps])
        model.coef_ = weights.T.double().cpu().numpy()
        model.intercept_ = bias.detach().double().cpu().numpy()
        if len(names) == 2:
            model.coef_, model.intercept_ = np.diff(model.coef_, axis=0), np.diff(model.intercept_)
        yield model


@torch.enable_grad()
def _minimize(
    x: torch.Tensor,
    y: torch.Tensor,
    weights: torch.Tensor,
    bias: torch.Tensor,
    factor: torch.Tensor,
    strength: float,
    max_iter: int,
) -> tuple[torch.Tensor, int]:
    """Minimize the mean cross-entropy with its penalty over ``factor @ weights`` and the bias.

    Returns:
        Weights ``(D, classes)`` and the number of steps; the bias is changed in place.
    """
    turned = (factor @ weights).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [turned, bias],
        max_iter=max_iter,
        tolerance_grad=0,
        history_size=10,
        line_search_fn='strong_wolfe',
    )

    def cost() -> torch.Tensor:
        optimizer.zero_grad()
        weights = torch.linalg.solve_triangular(factor, turned, upper=True)
        loss = F.cross_entropy(x @ weights + bias, y) + strength / 2 * weights.square().sum()
        loss.backward()
        return loss

    loss, before, steps = cost().item(), float('inf'), 0
    while before - loss > TOLERANCE * loss and steps < max_iter:
        optimizer.param_groups[0]['tolerance_change'] = TOLERANCE * loss
        optimizer.step(cost)
        before, loss, steps = loss, cost().item(), optimizer.state[turned]['n_iter']
    return torch.linalg.solve_triangular(factor, turned.detach(), upper=True), steps
