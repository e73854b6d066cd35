rule run_classical_md:
    input:
        topology=lambda w: start_of_sampling(w.system),
        system=lambda w: force_field_of(w.system),
        manifest="results/systems/{system}/manifest.json",
    output:
        trajectory="results/classical_md/{system}/{temperature}K/trajectory.h5",
        log_table="results/classical_md/{system}/{temperature}K/log.csv",
    log:
        "results/logs/run_classical_md/{system}/{temperature}K.log",
    benchmark:
        "results/benchmarks/run_classical_md/{system}/{temperature}K.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        settings=lambda w: dump(project.systems[w.system].sampling),
        temperature_kelvin=lambda w: float(w.temperature),
        seed=seed_of("classical_md"),
        version=STAGE_VERSIONS["classical_md"],
    script:
        "../scripts/run_classical_md.py"
