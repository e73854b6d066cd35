rule make_dataset:
    input:
        trajectories=lambda w: [
            f"results/classical_md/{system}/{temperature}K/trajectory.h5" for system, temperature in runs_of_set(w)
        ],
        systems=lambda w: [force_field_of(system) for system, temperature in runs_of_set(w)],
    output:
        dataset="results/datasets/{set}.h5",
    log:
        "results/logs/make_dataset/{set}.log",
    benchmark:
        "results/benchmarks/make_dataset/{set}.tsv"
    conda:
        "../../envs/gpip.yaml"
    params:
        runs=lambda w: [
            {"system": system, "temperature_kelvin": float(temperature)} for system, temperature in runs_of_set(w)
        ],
        # Forces without those of constraints mean nothing: a set with rigid bonds holds configurations only.
        with_labels=lambda w: not any(project.systems[system].has_constraints for system in project.sets[w.set]),
        version=STAGE_VERSIONS["dataset"],
    script:
        "../scripts/make_dataset.py"
