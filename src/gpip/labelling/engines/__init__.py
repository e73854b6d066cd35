"""Programs that compute labels, one module each; `gpip.labelling.registry` names them."""
