"""What `snakemake --logger gpip` prints: a line per finished job, and errors with the end of the job's log."""

import subprocess
import sys
from pathlib import Path

import pytest

SNAKEFILE = """
rule all:
    input: expand("out/{name}-n{n_train}-{seed}.txt", name=["water", "dme"], n_train=16, seed=[0, 1])
rule fine_tune:
    output: "out/{name}-n{n_train}-{seed}.txt"
    log: "logs/{name}-n{n_train}-{seed}.log"
    shell: "for i in $(seq 100); do echo line $i; done > {log}; COMMAND"
"""


def run(folder: Path, command: str, *options: str) -> tuple[int, str]:
    (folder / "Snakefile").write_text(SNAKEFILE.replace("COMMAND", command))
    snakemake = [sys.executable, "-m", "snakemake", "--logger", "gpip", "--cores", "1", *options]
    done = subprocess.run(snakemake, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr + done.stdout


def test_every_finished_job_is_one_numbered_line(tmp_path: Path) -> None:
    code, said = run(tmp_path, "touch {output}")
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == "5 jobs to do"
    assert [line[:6] for line in lines[1:6]] == [f"[{i}/5] " for i in range(1, 6)]
    jobs = {line[6:].rsplit(",", 1)[0] for line in lines[1:6]}
    assert jobs == {"all"} | {f"fine_tune {name} n16 seed{seed}" for name in ("water", "dme") for seed in (0, 1)}
    assert all(line.endswith(" s") for line in lines[1:6])
    assert len(lines) == 7
    log = Path(lines[6].removeprefix("Complete log(s): "))
    assert log.parent == tmp_path / ".snakemake/log"
    assert "out/water-n16-0.txt" in log.read_text(), "the log of the run has all that Snakemake says"
    assert run(tmp_path, "touch {output}")[1].startswith("Nothing to be done")


def test_an_error_is_shown_with_the_end_of_the_log_and_its_path(tmp_path: Path) -> None:
    code, said = run(tmp_path, "echo what went wrong >> {log}; false", "out/dme-n16-1.txt")
    assert code == 1
    assert "Error in fine_tune dme n16 seed1:\n  ... 71 lines above\n  line 72\n" in said
    assert f"  line 100\n  what went wrong\n  The whole log: {tmp_path}/logs/dme-n16-1.log\n" in said


@pytest.mark.parametrize(("command", "message"), [("touch {input.nothing}", "nothing"), ("true", "Missing")])
def test_errors_of_snakemake_itself_are_shown(tmp_path: Path, command: str, message: str) -> None:
    code, said = run(tmp_path, command, "out/dme-n16-1.txt")
    assert code == 1
    assert message in said


def test_a_dry_run_says_what_it_says_without_the_logger(tmp_path: Path) -> None:
    code, said = run(tmp_path, "touch {output}", "--dry-run")
    assert code == 0
    assert "output: out/water-n16-0.txt" in said
