#!/usr/bin/env python3
"""Follows docs/plugin-tutorial.md to the letter: tutorial.py BUILD [--print].

Runs each ```sh block from an empty folder with an installed lamina; it must
succeed, or fail where it says ```sh fails. Each line of the ```text block after
it must be in the output; "..." stands for anything. --print shows all of it.
"""
import re
import sys

from tree import Tree, root

tree = Tree(sys.argv[1])
state = tree.folder / "state"
state.write_text(f"cd {tree.work}\n")
blocks = re.findall(r"^```(sh|sh fails|text)\n(.*?)^```$",
                    (root / "docs/plugin-tutorial.md").read_text(),
                    re.MULTILINE | re.DOTALL)
done, output = None, ""


def squeeze(text):
    """Columns are not judged."""
    return re.sub(r" +", " ", text).replace("\n ", "\n").strip(" ")


for kind, text in blocks:
    if kind == "text":
        for line in text.splitlines():
            wanted = ".*".join(map(re.escape, squeeze(line).split("...")))
            tree.check(f"shows: {line.strip()}",
                       re.search(wanted, output) is not None, done)
        continue
    # The folder and the variables go on to the next block.
    done = tree.run("bash", "-eu", "-o", "pipefail", "-c",
                    f". {state}\n{text}\n"
                    f"{{ echo cd \"$PWD\"; echo unset LAM_PLUGIN_PATH; "
                    f"export -p | grep ' LAM_' || true; }} > {state}")
    output = squeeze(done.stdout)
    if "--print" in sys.argv:
        print("".join(f"$ {line}\n" for line in text.splitlines()) +
              done.stdout, flush=True)
    tree.check("runs: " + text.strip().splitlines()[-1],
               (done.returncode != 0) == (kind == "sh fails"), done)
tree.end()
