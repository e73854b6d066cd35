# Without an experiment there is no table of errors.
ERROR_TABLE = {}
if project.experiments:
    ERROR_TABLE["errors"] = report("results/report/errors.csv", caption="../report/errors.rst", category="Tables")


rule build_report:
    input:
        report_inputs,
    output:
        **ERROR_TABLE,
        page=report("results/report/index.html", caption="../report/page.rst", category="Report"),
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


rule build_system_page:
    input:
        system_page_inputs,
    output:
        page=report("results/report/systems/{system}.html", caption="../report/system.rst", category="Systems"),
    log:
        "results/logs/build_system_page/{system}.log",
    conda:
        "../../envs/gpip.yaml"
    params:
        files=lambda w: system_files(w.system),
        settings=lambda w: dump(project.systems[w.system]),
        version=STAGE_VERSIONS["report"],
    script:
        "../scripts/build_system_page.py"
