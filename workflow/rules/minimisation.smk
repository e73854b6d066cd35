rule minimise_system:
    input:
        topology="results/systems/{system}/topology.pdb",
        system="results/systems/{system}/system.xml",
    output:
        topology="results/systems/{system}/minimised/topology.pdb",
        summary="results/systems/{system}/minimised/minimisation.json",
    log:
        "results/logs/minimise_system/{system}.log",
    benchmark:
        "results/benchmarks/minimise_system/{system}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        version=STAGE_VERSIONS["minimisation"],
    script:
        "../scripts/minimise_system.py"
