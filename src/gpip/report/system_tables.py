"""Tables of a system's page. No cell is blank: a dash stands for a missing number, with the reason there or below."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gpip.report.names import pair_name, species_name
from gpip.report.rounding import in_brackets, plus_minus, rounded
from gpip.report.tables import density_in_words, density_note

Record = Mapping[str, Any]
WARNING_STANDARD_ERRORS = 3.0


def composition_table(summary: Record) -> pd.DataFrame:
    """Each species: molecules, charge, and the concentrations reached."""
    litre, kilogram = summary["mol_per_litre"] or {}, summary["mol_per_kg_solvent"] or {}
    rows = []
    for one in summary["contents"]:
        row = {
            "species": species_name(one["name"]),
            "SMILES": one["smiles"],
            "molecules": one["count"],
            "charge (e)": _minus(f"{one['charge']:+d}") if one["charge"] else "0",
        }
        if litre:
            row["mol/L"] = f"{litre[one['name']]:.3f}"
        if kilogram:
            row["mol/kg solvent"] = f"{kilogram[one['name']]:.3f}" if one["name"] in kilogram else "solvent"
        rows.append(row)
    return pd.DataFrame(rows)


def facts(manifest: Record, summary: Record, settings: Record) -> list[tuple[str, str]]:
    """Names and values for the head of the page."""
    n_molecules = manifest["n_molecules"]
    known = [("atoms", f"{manifest['n_atoms']}" + (f" in {n_molecules} molecules" if n_molecules > 1 else ""))]
    words = manifest["force_field"]
    if manifest["ion_charge_scale"] != 1:
        words += f", charges of ions times {manifest['ion_charge_scale']:g}"
    if settings.get("constraints", "none") != "none":
        words += ", bonds to hydrogen constrained"
    known.append(("force field", words))
    if summary["periodic"]:
        known.append(
            ("box", f"cubic, {summary['box_length_angstrom']:.3f} Å, cutoff {manifest['cutoff_angstrom']:g} Å")
        )
        known.append(("density", f"{density_in_words(summary)} g/cm³ ({density_note(summary)})"))
    else:
        known.append(("box", "none: one molecule by itself, no cutoff"))
    temperatures = ", ".join(f"{one:g}" for one in summary["temperatures_kelvin"])
    known.append(("temperatures", f"{temperatures} K"))
    return known


def thermal_table(summary: Record) -> pd.DataFrame:
    """Energies and temperatures of each run."""
    rows = []
    for one in summary["thermal"]:
        off = one["temperature_deviation_standard_errors"]
        rows.append(
            {
                "thermostat (K)": f"{one['temperature_kelvin']:g}",
                "frames": one["n_frames"],
                "mean temperature (K)": _mean(
                    one["temperature_mean_kelvin"], one["temperature_standard_error_kelvin"], 5
                ),
                "off by (standard errors)": "–" if off is None else _minus(f"{off:+.1f}"),
                "spread (K)": rounded(one["temperature_standard_deviation_kelvin"], digits=3),
                "mean potential energy (eV)": _minus(
                    _mean(one["potential_energy_mean_ev"], one["potential_energy_standard_error_ev"], 7)
                ),
            }
        )
    return pd.DataFrame(rows)


def _mean(value: float, error: float | None, digits: int) -> str:
    """Mean and error; without an error no more than four digits, as none of the others is known to mean anything."""
    return plus_minus(value, error, digits if error else 4)


def thermal_reasons(summary: Record) -> list[str]:
    """Why means have no standard error: one sentence for each run and quantity."""
    return [
        f"Mean {words} at {one['temperature_kelvin']:g} K: {one[reason]}."
        for one in summary["thermal"]
        for words, reason in (("temperature", "temperature_reason"), ("potential energy", "potential_energy_reason"))
        if one[reason]
    ]


def thermal_warnings(summary: Record) -> list[str]:
    """One sentence for each run whose mean temperature is not that of its thermostat."""
    return [
        f"At {one['temperature_kelvin']:g} K the mean temperature is {abs(off):.1f} standard errors "
        f"{'above' if off > 0 else 'below'} the thermostat's."
        for one in summary["thermal"]
        if (off := one["temperature_deviation_standard_errors"] or 0.0) and abs(off) > WARNING_STANDARD_ERRORS
    ]


def coordination_table(summary: Record) -> pd.DataFrame:
    """Pairs in rows, temperatures in columns: neighbours in the first shell, and where it ends."""
    rows: dict[str, dict[str, str]] = {}
    for one in summary["coordination"]:
        row = rows.setdefault(one["pair"], {"pair": pair_name(one["pair"])})
        row[f"{one['temperature_kelvin']:g} K"] = _coordination_cell(one)
    return pd.DataFrame(rows.values())


def coordination_reasons(summary: Record) -> list[str]:
    """Why there are cells without a number: one sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for one in summary["coordination"]:
        if one["reason"]:
            reasons.setdefault(one["reason"], []).append(f"{pair_name(one['pair'])} at {one['temperature_kelvin']:g} K")
    return [f"{', '.join(where)}: {reason}." for reason, where in reasons.items()]


def gyration_table(summary: Record) -> pd.DataFrame:
    """Radius of gyration of a molecule at each temperature."""
    return pd.DataFrame(
        [
            {
                "thermostat (K)": f"{one['temperature_kelvin']:g}",
                "mean radius of gyration (Å)": plus_minus(
                    one["radius_of_gyration_mean_angstrom"], one["radius_of_gyration_standard_error_angstrom"]
                )
                + in_brackets(one["radius_of_gyration_reason"]),
                "spread (Å)": rounded(one["radius_of_gyration_standard_deviation_angstrom"], digits=3),
            }
            for one in summary["molecule"]
        ]
    )


def bond_table(summary: Record) -> pd.DataFrame:
    """Bond lengths of a molecule by pair of elements, mean and spread at each temperature."""
    rows: dict[str, dict[str, Any]] = {}
    for one in summary["molecule"]:
        for bond in one["bonds"]:
            row = rows.setdefault(
                bond["bond"], {"bond": bond["bond"].replace("-", "–"), "in the molecule": bond["n_bonds"]}
            )
            words = f"{bond['mean_angstrom']:.3f} (spread {bond['standard_deviation_angstrom']:.3f})"
            row[f"{one['temperature_kelvin']:g} K (Å)"] = words
    return pd.DataFrame(rows.values())


def _minus(number: str) -> str:
    return number.replace("-", "−")


def _coordination_cell(one: Record) -> str:
    if one["coordination_number"] is None:
        return "–"
    found = plus_minus(one["coordination_number"], one["coordination_standard_error"], digits=3)
    return f"{found} within {one['first_minimum_angstrom']:.2f} Å"
