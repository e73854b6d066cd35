def filled(pattern, run):
    return pattern.format(**run)


def report_files():
    """The runs that the report shows, stage by stage, with the paths of their files."""
    runs = "{experiment}/{backbone}/{arm}/n{n_train}/seed{seed}"
    used_labels = sorted({experiment.labels for experiment in project.experiments.values()})
    return {
        "fine_tuning": [run | {"folder": filled(f"results/finetuning/{runs}", run)} for run in fine_tuning_runs()],
        "ml_md": [
            run
            | {"trajectory": filled(f"results/ml_md/{runs}/trajectory.h5", run)}
            | {"metrics": filled(f"results/metrics/{runs}", run)}
            for run in ml_md_runs()
        ],
        "pretraining": [
            run | {"folder": filled("results/pretraining/{set}/{backbone}/{recipe}", run)} for run in pretraining_runs()
        ],
        "classical": [
            {
                "system": system,
                "temperature_kelvin": float(temperature),
                "log": f"results/classical_md/{system}/{temperature}K/log.csv",
            }
            for system, temperature in sampled_runs()
        ],
        "labels": [
            {
                "name": name,
                "file": f"results/labels/{name}/labels.h5",
                "rejected": f"results/labels/{name}/rejected.csv",
            }
            for name in used_labels
        ],
        "benchmarks": benchmark_files(used_labels),
    }


def sampled_runs():
    """Classical runs that something is made from: those of the pre-training sets, of labels and of references."""
    runs = [run for used in pretraining_runs() for run in classical_runs(project.pretraining.sets[used["set"]])]
    for experiment in project.experiments.values():
        labels = project.labels[experiment.labels]
        references = [labels] if labels.source == "tblite" else []
        references += [experiment.metrics.reference] if experiment.metrics.reference != "labels" else []
        runs += [(one.system, temperature_label(one.temperature_kelvin)) for one in references]
    return sorted(set(runs), key=lambda run: (run[0], float(run[1])))


def benchmark_files(used_labels):
    """What Snakemake measured of each job that the report depends on."""
    runs = sampled_runs()
    files = [f"build_system/{system}" for system in sorted({system for system, _ in runs})]
    files += [f"run_classical_md/{system}/{temperature}K" for system, temperature in runs]
    files += [f"make_dataset/{name}" for name in sorted({run["set"] for run in pretraining_runs()})]
    for name in used_labels:
        if project.labels[name].source == "deepmd":
            files += [f"read_deepmd_labels/{name}"]
        else:
            files += [f"draw_configurations/{name}", f"merge_labels/{name}"]
            files += [f"label_chunk/{name}/{chunk}" for chunk in range(project.labels[name].n_jobs)]
    files += [filled("pretrain/{set}/{backbone}/{recipe}", run) for run in pretraining_runs()]
    runs = "{experiment}/{backbone}/{arm}/n{n_train}/seed{seed}"
    files += [filled(f"fine_tune/{runs}", run) for run in fine_tuning_runs()]
    files += [filled(f"{rule}/{runs}", run) for run in ml_md_runs() for rule in ("run_ml_md", "measure_ml_md")]
    return [f"results/benchmarks/{file}.tsv" for file in files]


def report_inputs(_):
    files = report_files()
    return [
        *(f"{run['folder']}/{name}" for run in files["fine_tuning"] for name in FINE_TUNING_FILES),
        *(run["trajectory"] for run in files["ml_md"]),
        *(f"{run['metrics']}/{name}" for run in files["ml_md"] for name in METRICS_FILES),
        *(f"{run['folder']}/{name}" for run in files["pretraining"] for name in ("model.ckpt", "losses.csv")),
        *(run["log"] for run in files["classical"]),
        *(run[name] for run in files["labels"] for name in ("file", "rejected")),
        *files["benchmarks"],
    ]


FINE_TUNING_FILES = ("model.ckpt", "history.csv", "errors.json", "predictions.h5")
METRICS_FILES = ("metrics.json", "rdf.csv", "msd.csv", "traces.csv")


rule build_report:
    input:
        report_inputs,
    output:
        page=report("results/report/index.html", caption="../report/page.rst", category="Report"),
        errors=report("results/report/errors.csv", caption="../report/errors.rst", category="Tables"),
        cost=report("results/report/cost.csv", caption="../report/cost.rst", category="Tables"),
    log:
        "results/logs/build_report.log",
    conda:
        "../../envs/gpip.yaml"
    params:
        files=report_files(),
        project=project.model_dump(mode="json", exclude_unset=True),
        version=STAGE_VERSIONS["report"],
    script:
        "../scripts/build_report.py"
