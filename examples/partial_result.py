"""A failure with a result: `JobFailed` tells people what is wrong, and keeps what was done.

Run it:  tawny serve --app examples.partial_result:app
Try it:  trigger import_contacts '{"lines": ["Ada,ada@example.com", "no address", "Alan,alan@example.com"]}'; watch

Look at the run: `status` is failed, `error` is the sentence below and nothing else, and `result` names the line that
was refused. It is final, whatever `retries` says, because the same lines would fail again. `JobFailed(…, retry=True)`
would try again.
"""

from __future__ import annotations

from tawny import JobFailed, Run, Tawny

app = Tawny()


@app.job("import_contacts", retries=3)
def import_contacts(run: Run, lines: list[str]) -> dict[str, object]:
    """Import contacts, and refuse the lines that are none."""
    imported, refused = 0, list[dict[str, object]]()
    for number, line in enumerate(run.track(lines), 1):
        name, _, address = line.partition(",")
        if name and "@" in address:
            imported += 1
        else:
            refused.append({"line": number, "text": line})
    result: dict[str, object] = {"imported": imported, "refused": refused}
    if refused:
        raise JobFailed(f"{len(refused)} of {len(lines)} lines are not `name,address`.", result=result)
    return result
