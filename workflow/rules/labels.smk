# Labels come from an engine, in chunks that are jobs of their own, or from existing files.
rule select_configurations:
    input:
        trajectories=lambda w: [
            f"results/classical_md/{system}/{temperature}K/trajectory.h5" for system, temperature in selected_runs(w)
        ],
        checkpoint=checkpoint_of_descriptor,
    output:
        configurations="results/labels/{labels}/configurations.h5",
        indices="results/labels/{labels}/indices.json",
    log:
        "results/logs/select_configurations/{labels}.log",
    benchmark:
        "results/benchmarks/select_configurations/{labels}.tsv"
    wildcard_constraints:
        labels=names(COMPUTED_LABELS),
    conda:
        "../../envs/gpip.yaml"
    params:
        runs=lambda w: [
            {"system": system, "temperature_kelvin": float(temperature)} for system, temperature in selected_runs(w)
        ],
        settings=lambda w: dump(project.labels[w.labels].selected),
        seed=seed_of("selection"),
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/select_configurations.py"


rule label_chunk:
    input:
        configurations=rules.select_configurations.output.configurations,
    output:
        chunk="results/labels/{labels}/chunks/{chunk}.h5",
        rejected="results/labels/{labels}/chunks/{chunk}.rejected.csv",
    log:
        "results/logs/label_chunk/{labels}/{chunk}.log",
    benchmark:
        "results/benchmarks/label_chunk/{labels}/{chunk}.tsv"
    wildcard_constraints:
        labels=names(COMPUTED_LABELS),
    conda:
        "../../envs/gpip.yaml"
    threads: lambda w: project.labels[w.labels].cores
    params:
        # Without what another job uses: the selection before, the checks and the allowed failures when chunks are merged.
        settings=lambda w: dump(
            project.labels[w.labels], exclude={"checks", "max_failed_fraction", "cores", "reference_energies"}
        ),
        charges=lambda w: {
            system: project.label_charge(project.labels[w.labels], system)
            for system in project.labels[w.labels].systems
        },
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/label_chunk.py"


rule merge_labels:
    input:
        chunks=lambda w: [
            f"results/labels/{w.labels}/chunks/{chunk}.h5" for chunk in range(project.labels[w.labels].n_jobs)
        ],
        rejected=lambda w: [
            f"results/labels/{w.labels}/chunks/{chunk}.rejected.csv"
            for chunk in range(project.labels[w.labels].n_jobs)
        ],
    output:
        labels="results/labels/{labels}/labels.h5",
        rejected="results/labels/{labels}/rejected.csv",
    log:
        "results/logs/merge_labels/{labels}.log",
    benchmark:
        "results/benchmarks/merge_labels/{labels}.tsv"
    wildcard_constraints:
        labels=names(COMPUTED_LABELS),
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.labels[w.labels], exclude={"cores", "reference_energies"}),
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/merge_labels.py"


rule read_labels:
    input:
        files=lambda w: [str(file) for file in make_reader(project.labels[w.labels], labelled_path(w)).files()],
    output:
        labels="results/labels/{labels}/labels.h5",
        rejected="results/labels/{labels}/rejected.csv",
    log:
        "results/logs/read_labels/{labels}.log",
    benchmark:
        "results/benchmarks/read_labels/{labels}.tsv"
    wildcard_constraints:
        labels=names(set(project.labels) - COMPUTED_LABELS),
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.labels[w.labels], exclude={"reference_energies"}),
        path=lambda w: str(labelled_path(w)),
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/read_labels.py"


rule label_isolated_atoms:
    input:
        labels="results/labels/{labels}/labels.h5",
    output:
        isolated_atoms="results/labels/{labels}/isolated_atoms.json",
    log:
        "results/logs/label_isolated_atoms/{labels}.log",
    benchmark:
        "results/benchmarks/label_isolated_atoms/{labels}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    params:
        settings=lambda w: dump(project.labels[w.labels], exclude={"checks", "max_failed_fraction", "cores"}),
        version=STAGE_VERSIONS["isolated_atoms"],
    script:
        "../scripts/label_isolated_atoms.py"
