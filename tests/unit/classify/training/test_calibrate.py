"""Calibration recovers the curves that the data was made with."""

import numpy as np
import pytest
from scipy.special import softmax

from pipelines.classify.training.calibrate import platt, prior_shift, temperature


def test_the_prior_of_other_shifts_only_other() -> None:
    labels = np.array([401] * 6 + [405] * 2 + [999] * 2, np.int16)
    np.testing.assert_allclose(prior_shift(labels, 0.02), [0, 0, np.log(0.1)])
    assert prior_shift(labels, 0).tolist() == prior_shift(labels, 0.5).tolist() == [0, 0, 0]
    assert prior_shift(labels[:8], 0.02).tolist() == [0, 0]


def test_temperature_recovers_the_temperature_of_the_labels() -> None:
    generator = np.random.default_rng(5)
    scores = generator.normal(size=(20_000, 4))
    labels = np.array([generator.choice(4, p=row) for row in softmax(scores / 0.5, axis=1)])
    assert temperature(scores, labels) == pytest.approx(0.5, rel=0.05)


def test_platt_recovers_an_overconfident_curve() -> None:
    generator = np.random.default_rng(6)
    chances = generator.uniform(0.05, 0.95, 40_000)
    real = 1 / (1 + np.exp(-(0.5 * np.log(chances / (1 - chances)) + 0.3)))
    slope, offset = platt(chances, generator.uniform(size=len(real)) < real)
    assert (slope, offset) == (pytest.approx(0.5, abs=0.05), pytest.approx(0.3, abs=0.05))


def test_platt_changes_nothing_where_nothing_can_be_fitted() -> None:
    chances = np.array([0.5, 0.9])
    assert platt(chances, np.ones(2, bool)) == platt(chances, np.zeros(2, bool)) == (1.0, 0.0)
