from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.core.provenance import provenance
    from gpip.metrics.system import measure_system

    files, params, made = snakemake.input, snakemake.params, snakemake.output
    density = files.get("density")
    inputs = [files.manifest, *files.trajectories, *([density] if density else [])]
    measure_system(
        snakemake.wildcards.system,
        params.species,
        files.manifest,
        list(zip(params.temperatures_kelvin, files.trajectories, files.log_tables, strict=True)),
        density,
        made.summary,
        made.rdf,
        made.coordination,
        made.gyration,
        provenance("system", {"species": params.species}, inputs=inputs),
    )
