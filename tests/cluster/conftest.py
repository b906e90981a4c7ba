import pytest


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's handwritten digits, float64 (1797, 64) in 0..16."""
    return pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)[0]
