# Labels come from an engine, in chunks that are jobs of their own, or from existing files.
rule label_chunk:
    input:
        trajectory=lambda w: "results/classical_md/{0.system}/{1}K/trajectory.h5".format(
            project.labels[w.labels], temperature_label(project.labels[w.labels].temperature_kelvin)
        ),
    output:
        chunk="results/labels/{labels}/chunks/{chunk}.h5",
        rejected="results/labels/{labels}/chunks/{chunk}.rejected.csv",
    log:
        "results/logs/label_chunk/{labels}/{chunk}.log",
    benchmark:
        "results/benchmarks/label_chunk/{labels}/{chunk}.tsv"
    threads: 1
    params:
        settings=lambda w: dump(project.labels[w.labels]),
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
    wildcard_constraints:
        labels=names(name for name, labels in project.labels.items() if labels.source != "deepmd"),
    log:
        "results/logs/merge_labels/{labels}.log",
    benchmark:
        "results/benchmarks/merge_labels/{labels}.tsv"
    params:
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/merge_labels.py"


rule read_deepmd_labels:
    input:
        # The folder stays where it is: its files are read, not tracked.
    output:
        labels="results/labels/{labels}/labels.h5",
        rejected="results/labels/{labels}/rejected.csv",
    wildcard_constraints:
        labels=names(name for name, labels in project.labels.items() if labels.source == "deepmd"),
    log:
        "results/logs/read_deepmd_labels/{labels}.log",
    benchmark:
        "results/benchmarks/read_deepmd_labels/{labels}.tsv"
    params:
        settings=lambda w: dump(project.labels[w.labels]),
        folder=lambda w: str(project.data_path(project.labels[w.labels].path)),
        version=STAGE_VERSIONS["labels"],
    script:
        "../scripts/read_deepmd_labels.py"
