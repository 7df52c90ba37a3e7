"""Executes docs/notebook.ipynb in a folder of its own; `python -m tests.notebook.execute` stores the outputs anew.

The rule: stored are tables and texts, so that the document shows figures where nothing runs; pictures are not.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat as untyped_nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs/notebook.ipynb"
_PLOTLY = "application/vnd.plotly.v1+json"
nbformat: Any = untyped_nbformat


def executed(folder: Path) -> Any:
    """The notebook with the outputs of a fresh kernel whose current folder is `folder`; raises where a cell does."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for name in ("ipython", "runtime", "tmp"):
        (folder / name).mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "TMPDIR": str(folder / "tmp"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, record_timing=False
    )
    asyncio.run(client.async_execute(env=environment))
    return notebook


def pictures(cell: Any) -> list[Any]:
    """The plotly figures that a cell drew."""
    return [output.data[_PLOTLY] for output in cell.get("outputs", []) if _PLOTLY in output.get("data", {})]


def stored(cell: Any) -> list[dict[str, Any]]:
    """Its outputs as the document keeps them: a table, or a text where there is none."""
    return [
        {**output, "data": {kind: output["data"][kind]}}
        for output in cell.get("outputs", [])
        if "data" in output and not pictures(cell)
        for kind in ["text/html" if "text/html" in output["data"] else "text/plain"]
    ]


def main() -> None:
    """Write the outputs into the document."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(Path(folder))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(output) for output in stored(cell)]
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
