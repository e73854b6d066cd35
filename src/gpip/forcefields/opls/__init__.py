"""OPLS-AA: typing by SMARTS, tables with a source for every number, OpenMM systems with geometric combining rules."""
