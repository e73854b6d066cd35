from pathlib import Path

from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.report.page import build_report

    build_report(snakemake.params.project, snakemake.params.files, Path(snakemake.output.page).parent)
