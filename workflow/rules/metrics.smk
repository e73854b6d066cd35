rule measure_ml_md:
    input:
        trajectory=rules.run_ml_md.output.trajectory,
        reference=reference_of,
    output:
        metrics=f"results/metrics/{RUN}/metrics.json",
        rdf=f"results/metrics/{RUN}/rdf.csv",
        msd=f"results/metrics/{RUN}/msd.csv",
        traces=f"results/metrics/{RUN}/traces.csv",
    log:
        f"results/logs/measure_ml_md/{RUN}.log",
    benchmark:
        f"results/benchmarks/measure_ml_md/{RUN}.tsv"
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.experiments[w.experiment].metrics),
        labels=lambda w: project.experiments[w.experiment].labels,
        system=lambda w: project.experiments[w.experiment].ml_md.system,
        temperature_kelvin=lambda w: project.experiments[w.experiment].ml_md.temperature_kelvin,
        reference_step_fs=reference_step_fs,
        version=STAGE_VERSIONS["metrics"],
    script:
        "../scripts/measure_ml_md.py"


rule measure_system:
    input:
        unpack(lambda w: {"density": f} if (f := system_files(w.system)["density"]) else {}),
        manifest="results/systems/{system}/manifest.json",
        trajectories=lambda w: [run["trajectory"] for run in system_files(w.system)["runs"]],
        log_tables=lambda w: [run["log"] for run in system_files(w.system)["runs"]],
    output:
        summary="results/systems/{system}/measured/summary.json",
        rdf="results/systems/{system}/measured/rdf.csv",
        coordination="results/systems/{system}/measured/coordination.csv",
        gyration="results/systems/{system}/measured/gyration.csv",
    log:
        "results/logs/measure_system/{system}.log",
    benchmark:
        "results/benchmarks/measure_system/{system}.tsv"
    conda:
        "../../envs/gpip.yaml"
    params:
        species=lambda w: {name: dump(one) for name, one in project.systems[w.system].contents.items()},
        temperatures_kelvin=lambda w: [run["temperature_kelvin"] for run in system_files(w.system)["runs"]],
        version=STAGE_VERSIONS["system"],
    script:
        "../scripts/measure_system.py"
