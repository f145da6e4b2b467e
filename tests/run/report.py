#!/usr/bin/env python3
"""Writes a report as a user would and reads the page: report.py BUILD."""
import html.parser
import re

from program import check, finish, folder, root, run


class Page(html.parser.HTMLParser):
    """Titles, elements and what stays open."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.titles = [], {}, []

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


done = run("train", root / "models/unet-small.yaml", "--data",
           "phantom:30:64:7", "--set", "inputs.image=N,1,64,64", "--set",
           "train.epochs=2", "--run", folder / "run")
check("train", done.returncode == 0, done.stderr)
done = run("report", folder / "run", "--split", "all")
text = (folder / "run/report.html").read_text() if done.returncode == 0 else ""
page = Page()
page.feed(text)
check("the page is whole", done.returncode == 0 and not page.open, done.stderr)
check("its sections", page.titles == [
    "Scores", "Training", "Thresholds", "Errors by context", "Worst and best",
    "All images", "Model"], str(page.titles))
check("4 charts, 12 pictures", page.seen.get("svg") == 4
      and page.seen.get("img") == 12, str(page.seen))
check("nothing from elsewhere", not re.findall(
    r"(?:src|href)=\"(?!data:)|url\(|@import", text))
check("no number is missing", "nan" not in re.sub(
    r"base64,[^\"]*", "", text).lower())
done = run("report", folder / "run", "--out", folder / "none/page.html")
check("a folder that is not there", done.returncode == 1
      and "cannot be written" in done.stderr, done.stderr)
done = run("report", folder)
check("no run", done.returncode != 0 and "metrics.csv" in done.stderr,
      done.stderr)

finish()
