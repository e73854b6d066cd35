"""Typed, strict settings of every stage, and the project that holds them. Imports neither torch nor openmm."""

from gpip.config.project import Project, load_project, project_from

__all__ = ["Project", "load_project", "project_from"]
