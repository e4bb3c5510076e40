#!/usr/bin/env python3
"""Manual page and completion: everything the help lists, and scripts that their shells accept."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(os.environ.get("NEMESIS", "./nemesis"))
counts = {"passed": 0, "failed": 0, "skipped": 0}


class Skip(Exception):
    pass


MODES = ["corrupt23", "clean", "lite", "nd2017", "milan22", "clipdissect23", "manipulated19", "aligned23"]


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **options)


def nemesis(*words):
    done = run(PROGRAM, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def need(program):
    if not shutil.which(program):
        raise Skip(f"there is no {program}")


def verbs():
    return re.findall(r"^  (\w+)  +\w", nemesis("help"), re.M)


def options_of(verb):
    return re.findall(r"^  (?:-\w, |    )--([\w-]+)", nemesis("help", verb), re.M)


def complete(line, *, folder="."):
    """What bash offers at the end of a line; it splits words at blanks and at '='."""
    words = re.findall(r"=|[^ =]+", line) + ([""] if line.endswith(" ") else [])
    quoted = " ".join("'" + word + "'" for word in words)
    done = run("bash", "--norc", "-c", f"source <({PROGRAM} completion bash)\ncomplete -p nemesis >&2\n"
               f"COMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n_nemesis\n"
               "printf '%s\\n' \"${COMPREPLY[@]}\"", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "-F _nemesis nemesis" in done.stderr, done.stderr
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def the_manual_has_every_verb_and_option():
    page = nemesis("man").replace("\\-", "-").replace("\\fR", "").replace("\\fB", "")
    found = verbs()
    assert len(found) > 12 and found[-2:] == ["version", "help"], found
    for verb in found[:-2]:
        start = page.index(f".SS {verb} - ")
        section = page[start:page.index(".S", start + 3)]
        assert {"quiet", "verbose", "json", "help"} <= set(options_of(verb))
        assert options_of(verb) == re.findall(r"^(?:-\w, )?--([\w-]+)", section, re.M), (verb, section)


def the_manual_formats_without_a_warning():
    need("groff")
    done = run("groff", "-man", "-ww", "-Tutf8", "-P-cbou", input=nemesis("man"))
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "nemesis dissect -m FILE.nw -l LAYER[,LAYER...] -d PROBE -o RUN" in " ".join(
        done.stdout.split())
    for section in ("FILES", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"):
        assert f"\n{section}\n" in done.stdout, section
    assert "OMP_NUM_THREADS" in done.stdout and "\n       ENGINE_ISA" in done.stdout
    assert "\n       75     interrupted after a checkpoint" in done.stdout


def bash_completes_verbs_options_and_values():
    need("bash")
    assert complete("nemesis dis") == ["dissect"]
    assert sorted(complete("nemesis ")) == sorted(verbs())
    assert sorted(complete("nemesis help att")) == ["attack", "attribute"]
    for verb in verbs()[:-2]:
        offered = complete(f"nemesis {verb} --")
        assert sorted(offered) == sorted("--" + option for option in options_of(verb)), verb
    assert complete("nemesis dissect --compat ") == MODES
    assert complete("nemesis dissect --compat=n") == ["nd2017"]
    assert complete("nemesis dissect --compat=") == MODES
    assert complete("nemesis noise --store jpeg75,f") == ["jpeg75,float"]
    assert complete("nemesis describe --method dis") == ["dissection"]
    assert complete("nemesis attack --method f") == ["fgsm"]
    assert complete("nemesis image --method fg") == []
    assert complete("nemesis dissect -t ") == []
    assert "corrupt23" not in complete("nemesis show --compat ")


def bash_completes_files():
    need("bash")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("net one.nw", "net two.nw", "-odd"):
            open(os.path.join(folder, name), "w").close()
        assert sorted(complete("nemesis inspect net", folder=folder)) == ["net one.nw", "net two.nw"]
        assert complete("nemesis dissect -m n", folder=folder) == complete(
            "nemesis dissect --model=n", folder=folder) != []
        assert complete("nemesis dissect -m -o", folder=folder) == ["-odd"]


def bash_offers_layers_and_runs():
    need("bash")
    network = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "demo", "mini.nw"))
    layers = complete(f"{PROGRAM} dissect -m {network} -l ")
    assert "conv4_2" in layers and "Makefile" not in layers, layers
    assert complete(f"{PROGRAM} dissect --model={network} -l conv4_") == [
        layer for layer in layers if layer.startswith("conv4_")] != []
    assert complete(f"{PROGRAM} dissect -l conv4_2") == []
    assert complete("nemesis attack -u d") == ["detectors"]
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "runs", "clean"))
        os.makedirs(os.path.join(folder, "report"))
        open(os.path.join(folder, "runs", "clean", "run.json"), "w").close()
        open(os.path.join(folder, "attack"), "w").close()
        for line in ("nemesis report ", "nemesis attack --baseline "):
            assert complete(line, folder=folder) == ["runs"], line
            assert complete(line + "runs/", folder=folder) == ["runs/clean"], line
        assert sorted(complete("nemesis dissect -o r", folder=folder)) == ["report", "runs"]


def bash_gives_no_verb_the_slash_of_a_folder():
    need("bash")
    assert "complete -F _nemesis nemesis\n" in nemesis("completion", "bash")


def zsh_takes_its_script():
    need("zsh")
    done = run("zsh", "-n", "/dev/stdin", input=nemesis("completion", "zsh"))
    assert done.returncode == 0 and not done.stderr, done.stderr


def fish_takes_its_script():
    need("fish")
    done = run("fish", "-c", "source; complete -C 'nemesis dissect --compat '",
               input=nemesis("completion", "fish"))
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offered == sorted(MODES), done.stdout + done.stderr


def an_unknown_shell_is_wrong_usage():
    for words in (["completion"], ["completion", "tcsh"], ["completion", "bash", "zsh"], ["man", "x"]):
        assert run(PROGRAM, *words).returncode == 2, words


def main():
    if not os.path.exists(PROGRAM):
        print("skipped manual: there is no ./nemesis\n0 passed, 0 failed, 1 skipped")
        return 0
    for test in (the_manual_has_every_verb_and_option, the_manual_formats_without_a_warning,
                 bash_completes_verbs_options_and_values, bash_completes_files,
                 bash_offers_layers_and_runs, bash_gives_no_verb_the_slash_of_a_folder, zsh_takes_its_script,
                 fish_takes_its_script, an_unknown_shell_is_wrong_usage):
        name, result, told = "manual." + test.__name__, "passed", ""
        try:
            test()
        except Skip as reason:
            result, told = "skipped", f"  skipped: {reason}\n"
        except Exception as problem:
            result, told = "failed", f"  {type(problem).__name__}: {problem}\n"
        counts[result] += 1
        print(told + {"passed": "ok     ", "failed": "FAILED ", "skipped": "skipped"}[result], name)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return counts["failed"] > 0


if __name__ == "__main__":
    sys.exit(main())
