"""Names for readers: metrics and their order, species, pairs of sites."""

import re
from typing import Any

from gpip.core.species import BUILT_IN

METRIC_NAMES = {
    "held_time": "Time until unstable",
    "stability_published": "Stability, published",
    "stability_intermolecular": "Stability, between molecules",
    "rdf_error_published_mean": "g(r) error, published mean",
    "rdf_error_published_integral": "g(r) error, published mean × range",
    "rdf_error_intermolecular_mean": "g(r) error between molecules",
    "rdf_error_intermolecular_noise": "g(r) error of noise alone",
    "diffusivity_published": "D, published",
    "diffusivity_published_reference": "D, published, reference",
    "diffusivity_published_error": "D, published, error",
    "diffusivity_fit": "D, slope",
    "diffusivity_fit_reference": "D, slope, reference",
    "diffusivity_fit_error": "D, slope, error",
    "diffusivity_finite_size": "D, slope, for an infinite box",
    "temperature": "Temperature",
}
"""In the order of the tables; names of g(r) errors end in the pair of elements."""


def metric_name(name: str) -> str:
    """A metric for readers; the pair of elements follows where there is one."""
    if name in METRIC_NAMES:
        return METRIC_NAMES[name]
    stem, _, pair = name.rpartition("_")
    return f"{METRIC_NAMES[stem]}, {pair.replace('-', '–')}" if stem in METRIC_NAMES else name


def metric_order(name: str) -> int:
    """Place in the tables; pairs of elements keep their order."""
    known = list(METRIC_NAMES)
    stem = name if name in METRIC_NAMES else name.rpartition("_")[0]
    return known.index(stem) if stem in known else len(known)


_RAISED = str.maketrans("+-0123456789", "⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def species_name(name: str) -> str:
    """An ion with its charge raised and its numbers lowered: PF6- gives PF₆⁻, Mg+2 gives Mg²⁺. Others as they are."""
    found = re.fullmatch(r"([A-Za-z0-9]+)([+-])(\d*)", name)
    # isomer-3 is a name that someone gave, Mg+2 a charge.
    if not found or (found[3] and name not in BUILT_IN):
        return name
    formula, sign, number = found.groups()
    return formula.translate(_LOWERED) + (number + sign).translate(_RAISED)


def pair_name(name: str) -> str:
    """A pair of sites for readers: "Na+ · F of PF6-" gives "Na⁺ – F of PF₆⁻"."""
    return " – ".join(" of ".join(species_name(word) for word in site.split(" of ")) for site in name.split(" · "))


def contents_in_words(contents: list[dict[str, Any]]) -> str:
    """Such as "24 Na⁺ + 24 PF₆⁻ + 192 DME", from `contents` of a system's summary."""
    return " + ".join(f"{one['count']} {species_name(one['name'])}" for one in contents)
