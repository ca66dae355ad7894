"""The projects file, its rules, and the projects defined in it."""

from __future__ import annotations

from scar.projects.file import ProjectsFile
from scar.projects.project import Project, workspace_resource

__all__ = ["Project", "ProjectsFile", "workspace_resource"]
