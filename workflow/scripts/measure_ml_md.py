from pathlib import Path

from gpip.config.experiments import Metrics
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.core.provenance import provenance
    from gpip.metrics.run import compute_metrics
    from gpip.ml_md.reference import classical_reference, labelled_reference

    files, params = snakemake.input, snakemake.params
    settings, path = Metrics.model_validate(params.settings), Path(files.reference)
    if settings.reference == "labels":
        reference = labelled_reference(
            path, params.labels, params.reference_step_fs, params.system, params.temperature_kelvin
        )
    else:
        reference = classical_reference(settings.reference, path, params.reference_step_fs)
    made = provenance("metrics", settings, inputs=[files.trajectory, path])
    folder = Path(snakemake.output.metrics).parent
    compute_metrics(files.trajectory, reference, settings, folder, made, settings.viscosity_pa_s)
