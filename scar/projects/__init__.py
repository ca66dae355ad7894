"""The projects file, and the projects in it."""

from __future__ import annotations

from scar.projects.file import ProjectsFile
from scar.projects.project import Project

__all__ = ["Project", "ProjectsFile"]
