# Labels come from an engine, in chunks that are jobs of their own, or from existing files.
rule draw_configurations:
    input:
        trajectory=lambda w: f"{labelled_run(w)}/trajectory.h5",
    output:
        configurations="results/labels/{labels}/configurations.h5",
    log:
        "results/logs/draw_configurations/{labels}.log",
    benchmark:
        "results/benchmarks/draw_configurations/{labels}.tsv"
    conda:
        "../../envs/gpip.yaml"
    params:
        runs=lambda w: [
            {
                "system": project.labels[w.labels].system,
                "temperature_kelvin": project.labels[w.labels].temperature_kelvin,
            }
        ],
        version=STAGE_VERSIONS["dataset"],
    script:
        "../scripts/draw_configurations.py"


rule label_chunk:
    input:
        configurations=rules.draw_configurations.output.configurations,
    output:
        chunk="results/labels/{labels}/chunks/{chunk}.h5",
        rejected="results/labels/{labels}/chunks/{chunk}.rejected.csv",
    log:
        "results/logs/label_chunk/{labels}/{chunk}.log",
    benchmark:
        "results/benchmarks/label_chunk/{labels}/{chunk}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    params:
        # Not the checks: they are applied when the chunks are merged.
        settings=lambda w: dump(project.labels[w.labels], exclude={"checks"}),
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
        labels=names(name for name, labels in project.labels.items() if not isinstance(labels, PublishedLabels)),
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.labels[w.labels]),
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/merge_labels.py"


rule read_published_labels:
    input:
        files=lambda w: [str(file) for file in published_files(project.labels[w.labels], published(w))],
    output:
        labels="results/labels/{labels}/labels.h5",
        rejected="results/labels/{labels}/rejected.csv",
    log:
        "results/logs/read_published_labels/{labels}.log",
    benchmark:
        "results/benchmarks/read_published_labels/{labels}.tsv"
    wildcard_constraints:
        labels=names(name for name, labels in project.labels.items() if isinstance(labels, PublishedLabels)),
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.labels[w.labels]),
        path=lambda w: str(published(w)),
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/read_published_labels.py"
