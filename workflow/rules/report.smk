rule build_report:
    input:
        "results/none",
    output:
        page="results/report/index.html",
    log:
        "results/logs/build_report.log",
    script:
        "../scripts/build_report.py"
