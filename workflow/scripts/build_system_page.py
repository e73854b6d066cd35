from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.report.system_page import build_system_page

    build_system_page(
        snakemake.wildcards.system, snakemake.params.settings, snakemake.params.files, snakemake.output.page
    )
