"""Whether an estimator was fitted."""

from __future__ import annotations

from sklearn.exceptions import NotFittedError

from tidemill.errors import InputError

__all__ = ["UnfittedError", "check_fitted"]


class UnfittedError(InputError, NotFittedError, RuntimeError):  # type: ignore[misc]
    """An estimator was used before it was fitted.

    It stands here and not among :mod:`tidemill.errors`, because scikit-learn's class is one of its
    bases. RuntimeError is what tsfresh's estimators raise.
    """


def check_fitted(estimator: object, *, fitted: bool) -> None:
    """Refuse an estimator that was not fitted.

    Raises
    ------
    UnfittedError
        If it was not.
    """
    if not fitted:
        raise UnfittedError(
            f"this {type(estimator).__name__} is not fitted yet: call fit before transform"
        )
