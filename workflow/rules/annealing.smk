rule anneal_system:
    input:
        topology=lambda w: start_of_annealing(w.system),
        system=lambda w: force_field_of(w.system),
    output:
        topology="results/systems/{system}/annealed/topology.pdb",
        temperature_table="results/systems/{system}/annealed/annealing.csv",
        summary="results/systems/{system}/annealed/annealing.json",
    log:
        "results/logs/anneal_system/{system}.log",
    benchmark:
        "results/benchmarks/anneal_system/{system}.tsv"
    wildcard_constraints:
        system=names(name for name, system in project.systems.items() if system.annealing),
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        settings=lambda w: dump(project.systems[w.system].annealing),
        seed=seed_of("annealing"),
        version=STAGE_VERSIONS["annealing"],
    script:
        "../scripts/anneal_system.py"
