"""Formats that labels are read from, one module each; `gpip.labelling.registry` names them."""
