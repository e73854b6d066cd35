"""What a system's page says in words: how it was prepared, and how far its density can be trusted."""

from collections.abc import Mapping
from typing import Any

from gpip.report.rounding import in_brackets, plus_minus
from gpip.report.targets import Target, known_targets

Record = Mapping[str, Any]

CAPTIONS = {
    "density": (
        "Density of {system} at constant pressure, after its equilibration. The box of all runs has the mean volume. "
        "From density.csv."
    ),
    "annealing": "{system} while it cools at constant volume, before the sampling. From annealing.csv.",
    "traces": (
        "Runs of {system}: temperature (dotted: thermostat) and potential energy of the frames kept. "
        "From log.csv of each run."
    ),
    "rdf": (
        "Radial distributions of {system} at {shown} K between different molecules: g(r) with two standard errors "
        "(blue, left), and the mean number n(r) of neighbours within r (orange, dashed, right). The dotted line is the "
        "end of the first shell. From rdf.csv, which has all temperatures."
    ),
    "gyration": ("Radius of gyration of {system}, and how often each value occurs. From gyration.csv."),
    "box": (
        "{system} at {shown} K after {time} ps: the last frame. Each molecule is drawn whole, where its middle lies in "
        "the box{ions}; what is far away is pale."
    ),
    "molecule": "{system} at {shown} K after {time} ps: the last frame.",
}


def protocol(settings: Record, manifest: Record, minimisation: Record, summary: Record) -> list[str]:
    """The steps that were done, in order, one sentence each."""
    steps = []
    if summary["periodic"]:
        contact = manifest.get("closest_contact_angstrom")
        near = f"; no two molecules nearer than {contact:.2f} Å" if contact else ""
        steps.append(f"Packed to {manifest['density_g_per_cm3']:.3f} g/cm³{near}.")
    else:
        steps.append("Embedded from its SMILES.")
    before, after = (minimisation[f"energy_{when}_ev"]["total"] for when in ("before", "after"))
    start, end = ("an energy beyond all numbers" if one is None else _ev(one) for one in (before, after))
    force = minimisation["largest_force_after_ev_per_angstrom"]
    steps.append(f"Minimised from {start} to {end}; largest force left {force:.2g} eV/Å.")
    if npt := settings.get("npt"):
        steps.append(
            f"Constant pressure: {npt['equilibration_ps']:g} ps of equilibration and {npt['production_ps']:g} ps of "
            f"production at {npt['temperature_kelvin']:g} K and {npt['pressure_bar']:g} bar; the box was set to its "
            "mean volume."
        )
    if annealing := settings.get("annealing"):
        steps.append(
            f"Annealed from {annealing['start_kelvin']:g} to {annealing['end_kelvin']:g} K in "
            f"{annealing['duration_ps']:g} ps at constant volume."
        )
    sampling = settings["sampling"]
    where = "at constant volume" if summary["periodic"] else "without a box"
    steps.append(
        f"Sampled {where} at each temperature: {sampling['equilibration_ps']:g} ps of equilibration, then "
        f"{sampling['production_ps']:g} ps with a frame every {sampling['sample_every_ps']:g} ps; Langevin thermostat, "
        f"steps of {sampling['timestep_fs']:g} fs."
    )
    return steps


def _ev(energy: float) -> str:
    return f"{energy:.4g} eV".replace("-", "−")


def density_sentences(settings: Record, manifest: Record, summary: Record, target: Target | None) -> list[str]:
    """The density, whether it has converged, and how far it is from the measured one."""
    if not summary["periodic"]:
        return []
    density, npt = summary["density_g_per_cm3"], settings.get("npt")
    if not npt:
        return [f"The density was set to {density:.4g} g/cm³; the pressure was not looked at."]
    error = summary["density_standard_error_g_per_cm3"]
    bracket = in_brackets(summary["density_standard_error_reason"] or "± one standard error")
    words = [
        f"{plus_minus(density, error)} g/cm³{bracket} at {npt['temperature_kelvin']:g} K and "
        f"{npt['pressure_bar']:g} bar."
    ]
    if summary["density_converged"]:
        words.append("Converged: no drift beyond three standard errors, and at least twenty independent volumes.")
    words += [f"Not converged: {reason}." for reason in summary["density_reasons"]]
    if target:
        off = density / target.density_g_per_cm3 - 1
        words.append(
            f"Measured at {target.temperature_kelvin:g} K: {target.density_g_per_cm3:g} g/cm³ ({target.source}); "
            f"the simulation is {abs(off):.1%} {'above' if off > 0 else 'below'}."
        )
    elif len(manifest["molecules"]) == 1:
        (species,) = manifest["molecules"]
        others = [f"{one.temperature_kelvin:g}" for one in known_targets() if one.species == species]
        if others:
            words.append(
                f"A measured density of this liquid is known at {', '.join(others)} K, not within 1 K of "
                f"{npt['temperature_kelvin']:g} K: none is compared."
            )
    return words
