# Systems of OpenFF are built in an environment of their own; the files are those of build_system.
rule build_openff_system:
    output:
        topology="results/systems/{system}/topology.pdb",
        system="results/systems/{system}/system.xml",
        manifest="results/systems/{system}/manifest.json",
    log:
        "results/logs/build_system/{system}.log",
    benchmark:
        "results/benchmarks/build_system/{system}.tsv"
    wildcard_constraints:
        system=names(OPENFF_SYSTEMS),
    conda:
        "../../envs/openff.yaml"
    params:
        settings=lambda w: dump(project.systems[w.system].box),
        seed=seed_of("build"),
        version=STAGE_VERSIONS["build"],
    script:
        "../scripts/build_openff_system.py"
