"""A picture of one configuration: shaded spheres and bonds, drawn from back to front."""

from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

YAW_DEGREES, PITCH_DEGREES = -27.0, 17.0
EYE_OF_SIZE = 3.2
"""Distance of the eye from the middle, in sizes of the box: less is more perspective."""
RADIUS_OF_COVALENT = 0.58
ION_RADIUS_OF_COVALENT = 0.8
BARE_ION_ANGSTROM = 1.05
BOND_ANGSTROM = 0.15
"""Half the width of a stick."""
FOG = 0.62
"""How much of the colour is lost at the far end."""
PALE = 0.4
"""How much white there is in the colours of the solvent where there are ions."""
MANY_ATOMS = 600
WIDTH_INCH, LEGEND_INCH = 5.3, 1.1
OWN_COLOURS = {"C": (0.36, 0.39, 0.43), "H": (0.93, 0.93, 0.93), "Na": (0.48, 0.2, 0.82), "Li": (0.62, 0.2, 0.78)}
# Of a sphere lit from the upper left: radius, shift towards the light, darker (< 0) or lighter (> 0).
LAYERS = ((1.0, 0.0, -0.5), (0.93, 0.0, -0.16), (0.78, 0.1, 0.0), (0.5, 0.22, 0.28), (0.2, 0.36, 0.7))
LAYERS_OF_MANY = ((1.0, 0.0, -0.45), (0.9, 0.02, -0.05), (0.48, 0.22, 0.38))


class Scene(NamedTuple):
    """What is drawn; polygons are [n_corners, 2] each."""

    depth: np.ndarray
    polygons: list[np.ndarray]
    colours: np.ndarray


def whole_in_box(positions: np.ndarray, molecule: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Positions [n_atoms, 3] of whole molecules, moved so that the middle of each lies in the box [0, lengths)."""
    n_atoms = np.bincount(molecule)
    middle = np.stack([np.bincount(molecule, axis) / n_atoms for axis in positions.T], axis=1)
    return positions - (np.floor(middle / lengths) * lengths)[molecule]


def box_picture(
    species: np.ndarray,
    molecule: np.ndarray,
    bonds: np.ndarray,
    positions: np.ndarray,
    lengths: np.ndarray | None,
    ions: np.ndarray,
) -> Figure:
    """One frame, seen a little from above, with its box; a molecule without a box is turned to show its broad side.

    Args:
        species: atomic numbers, [n_atoms].
        molecule: [n_atoms].
        bonds: [n_bonds, 2].
        positions: [n_atoms, 3], angstrom, molecules whole.
        lengths: edges of the box, [3], angstrom, or None.
        ions: whether each atom belongs to an ion, [n_atoms]; these are drawn larger and in full colour.
    """
    positions = np.asarray(positions, float)
    if lengths is None:
        points = _broad_side(positions)
        size = max(float(np.ptp(points, axis=0).max()), 4.0)
    else:
        points = (whole_in_box(positions, molecule, lengths) - lengths / 2) @ _view()
        size = float(np.max(lengths))
    eye = EYE_OF_SIZE * size
    radii, colours = atom_radii(species, ions, bonds), _colours(species, ions)
    flat = points[:, :2] * (eye / (eye - points[:, 2:]))
    reach = np.concatenate(
        [flat - radii.max(), flat + radii.max()] + ([] if lengths is None else [_corners(lengths, eye)])
    )
    low, high = reach.min(axis=0) - 0.01 * size, reach.max(axis=0) + 0.01 * size
    height = WIDTH_INCH * np.clip((high - low)[1] / (high - low)[0], 0.3, 1.0)
    figure = Figure(figsize=(WIDTH_INCH + LEGEND_INCH, height))
    axis = figure.add_subplot()
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axis.set_axis_off()
    scene = _scene(points, bonds, radii, colours, eye)
    order = np.argsort(scene.depth, kind="stable")
    polygons = [scene.polygons[i] for i in order]
    axis.add_collection(PolyCollection(polygons, facecolors=scene.colours[order], linewidths=0, zorder=2))
    if lengths is not None:
        _draw_box(axis, lengths, eye)
    _legend(figure, species, ions, colours)
    return figure


def atom_radii(species: np.ndarray, ions: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Angstrom, [n_atoms]: of balls on sticks, those of ions larger, those of single-atom ions the largest."""
    factor = np.where(ions, ION_RADIUS_OF_COVALENT, RADIUS_OF_COVALENT)
    radii = factor * np.minimum(covalent_radii[species], 1.1)
    bare = ions & ~np.isin(np.arange(len(species)), bonds)
    return np.where(bare, BARE_ION_ANGSTROM, radii)


def _scene(points: np.ndarray, bonds: np.ndarray, radii: np.ndarray, colours: np.ndarray, eye: float) -> Scene:
    many = len(points) > MANY_ATOMS
    turn = np.linspace(0, 2 * np.pi, 14 if many else 40, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    light = np.array([-1, 1]) / np.sqrt(2)
    scale = eye / (eye - points[:, 2])
    flat = points[:, :2] * scale[:, None]
    far, near = points[:, 2].min(), points[:, 2].max()

    def fogged(colour: np.ndarray, depth: np.ndarray) -> np.ndarray:
        there = (near - depth) / max(near - far, 1e-9) if near - far > 6 else np.zeros_like(depth)
        return _mixed(colour, FOG * there[:, None])

    depths, polygons, shades = [], [], []
    for radius, shift, tone in LAYERS_OF_MANY if many else LAYERS:
        size = (radii * scale)[:, None]
        polygons += list((flat + shift * size * light)[:, None] + radius * size[:, None] * circle)
        depths.append(points[:, 2])
        shades.append(fogged(_toned(colours, tone), points[:, 2]))
    for end, other in (bonds.T, bonds[:, ::-1].T) if len(bonds) else ():
        middle = (points[end] + points[other]) / 2
        flat_middle = middle[:, :2] * (eye / (eye - middle[:, 2]))[:, None]
        along = flat_middle - flat[end]
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
        # Behind the two balls where it lies flat, so that it seems to enter them.
        depth = np.minimum(points[end, 2], middle[:, 2]) - 1e-3
        for width, tone in ((1.0, -0.5), (0.72, -0.05)):
            half = across * (width * BOND_ANGSTROM * scale[end])[:, None]
            quads = np.stack([flat[end] - half, flat[end] + half, flat_middle + half, flat_middle - half], axis=1)
            polygons += list(quads)
            depths.append(depth)
            shades.append(fogged(_toned(colours[end], tone), depth))
    return Scene(np.concatenate(depths), polygons, np.concatenate(shades))


def _view() -> np.ndarray:
    """Rotation for row vectors; x to the right, y up, z towards the eye."""
    yaw, pitch = np.radians([YAW_DEGREES, PITCH_DEGREES])
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    return about_y @ about_x


def _broad_side(positions: np.ndarray) -> np.ndarray:
    centred = positions - positions.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2] if len(positions) > 2 else np.eye(3)
    if np.linalg.det(axes) < 0:
        axes[2] *= -1
    return centred @ axes.T


def _corners(lengths: np.ndarray, eye: float) -> np.ndarray:
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)]) * lengths @ _view()
    return corners[:, :2] * (eye / (eye - corners[:, 2:]))


def _draw_box(axis, lengths: np.ndarray, eye: float) -> None:
    unit = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    flat = _corners(lengths, eye)
    depth = (unit * lengths @ _view())[:, 2]
    edges = [(a, b) for a in range(8) for b in range(a) if np.abs(unit[a] - unit[b]).sum() == 1]
    hidden = [edge for edge in edges if np.argmin(depth) in edge]
    for chosen, order, colour in ((hidden, 1, "#b8bfc7"), ([e for e in edges if e not in hidden], 3, "#707a85")):
        axis.add_collection(
            LineCollection([flat[list(edge)] for edge in chosen], colors=colour, linewidths=0.8, zorder=order)
        )


def _colours(species: np.ndarray, ions: np.ndarray) -> np.ndarray:
    colours = np.array([OWN_COLOURS.get(chemical_symbols[z], jmol_colors[z]) for z in species])
    pale = np.where(~ions & ions.any(), PALE, 0.0)
    return _mixed(colours, pale[:, None])


def _mixed(colours: np.ndarray, white: np.ndarray | float) -> np.ndarray:
    return colours + (1 - colours) * white


def _toned(colours: np.ndarray, tone: float) -> np.ndarray:
    return _mixed(colours, tone) if tone > 0 else colours * (1 + tone)


def _legend(figure: Figure, species: np.ndarray, ions: np.ndarray, colours: np.ndarray) -> None:
    handles = []
    for of_ions in (True, False):
        for z in sorted(set(species[ions == of_ions]), key=lambda z: (z == 1, z)):
            first = np.flatnonzero((species == z) & (ions == of_ions))[0]
            look = {"markerfacecolor": colours[first], "markeredgecolor": "#3a4048", "markeredgewidth": 0.6}
            size = 9 if of_ions else 7
            words = f"{chemical_symbols[z]}{' of ions' if of_ions else ''}"
            handles.append(Line2D([], [], linestyle="", marker="o", markersize=size, label=words, **look))
    figure.legend(handles=handles, loc="outside right center", handletextpad=0.1)
