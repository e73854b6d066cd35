from gpip.config.systems import OPENFF

OPENFF_SYSTEMS = {name for name, system in project.systems.items() if OPENFF.match(system.box.force_field)}


rule build_system:
    input:
        lambda w: project.systems[w.system].box.extra_terms or [],
    output:
        topology="results/systems/{system}/topology.pdb",
        system="results/systems/{system}/system.xml",
        manifest="results/systems/{system}/manifest.json",
    log:
        "results/logs/build_system/{system}.log",
    benchmark:
        "results/benchmarks/build_system/{system}.tsv"
    wildcard_constraints:
        system=names(set(project.systems) - OPENFF_SYSTEMS),
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.systems[w.system].box),
        seed=seed_of("build"),
        version=STAGE_VERSIONS["build"],
    script:
        "../scripts/build_system.py"
