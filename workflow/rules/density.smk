rule equilibrate_density:
    input:
        topology=rules.minimise_system.output.topology,
        system="results/systems/{system}/system.xml",
    output:
        topology="results/systems/{system}/npt/topology.pdb",
        system="results/systems/{system}/npt/system.xml",
        density_table="results/systems/{system}/npt/density.csv",
        summary="results/systems/{system}/npt/density.json",
    log:
        "results/logs/equilibrate_density/{system}.log",
    benchmark:
        "results/benchmarks/equilibrate_density/{system}.tsv"
    wildcard_constraints:
        system=names(name for name, system in project.systems.items() if system.npt),
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        settings=lambda w: dump(project.systems[w.system].npt),
        seed=seed_of("density"),
        version=STAGE_VERSIONS["density"],
    script:
        "../scripts/equilibrate_density.py"
