"""Clebsch-Gordan coefficients of the real harmonics in `gpip.models.blocks.spherical`."""

import functools
import itertools
import math
from math import factorial

import numpy as np


@functools.cache
def clebsch_gordan(degree_a: int, degree_b: int, degree: int) -> np.ndarray:
    """Q [2 l + 1, 2 l_a + 1, 2 l_b + 1] float64, of unit norm: sum_ab Q_mab x_a y_b turns like harmonics of degree l.

    It is the same up to its sign and length for whatever sets of numbers x, y turn like harmonics of degrees l_a, l_b.
    Where l_a + l_b + l is odd it keeps its sign under inversion when harmonics change theirs, or the other way round.
    """
    sizes = [2 * each + 1 for each in (degree, degree_a, degree_b)]
    complex_ones = np.zeros(sizes, dtype=complex)
    for m_a, m_b in itertools.product(range(-degree_a, degree_a + 1), range(-degree_b, degree_b + 1)):
        if abs(m_a + m_b) <= degree:
            place = (m_a + m_b + degree, m_a + degree_a, m_b + degree_b)
            complex_ones[place] = _racah(degree_a, m_a, degree_b, m_b, degree)
    to_real, of_a, of_b = _real_from_complex(degree), _real_from_complex(degree_a), _real_from_complex(degree_b)
    turned = np.einsum("mp,pab,ra,sb->mrs", to_real, complex_ones, of_a.conj(), of_b.conj())
    # All are real, or all imaginary.
    real = turned.real if np.abs(turned.real).max() > np.abs(turned.imag).max() else turned.imag
    return real / np.linalg.norm(real)


def _real_from_complex(degree: int) -> np.ndarray:
    """Unitary [real, complex]: orders 0, cos 1, sin 1, cos 2, ... from -l ... l, with Condon and Shortley's sign."""
    matrix = np.zeros((2 * degree + 1, 2 * degree + 1), dtype=complex)
    matrix[0, degree] = 1.0
    for m in range(1, degree + 1):
        sign = (-1) ** m
        matrix[2 * m - 1, [degree + m, degree - m]] = np.array([1, sign]) / math.sqrt(2)
        matrix[2 * m, [degree + m, degree - m]] = np.array([1, -sign]) / (1j * math.sqrt(2))
    return matrix


def _racah(j1: int, m1: int, j2: int, m2: int, j: int) -> float:
    """<j1 m1 j2 m2 | j m1+m2> (Racah 1942)."""
    m = m1 + m2
    triangle = factorial(j + j1 - j2) * factorial(j - j1 + j2) * factorial(j1 + j2 - j) / factorial(j1 + j2 + j + 1)
    orders = math.prod(factorial(each) for each in (j + m, j - m, j1 - m1, j1 + m1, j2 - m2, j2 + m2))
    total = 0.0
    for k in range(j1 + j2 - j + 1):
        terms = (k, j1 + j2 - j - k, j1 - m1 - k, j2 + m2 - k, j - j2 + m1 + k, j - j1 - m2 + k)
        if min(terms) >= 0:
            total += (-1) ** k / math.prod(factorial(each) for each in terms)
    return math.sqrt((2 * j + 1) * triangle * orders) * total
