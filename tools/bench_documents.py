"""How fast `breakeven workload --documents` counts: MB of text a second by kind of file, wall clock and processor time.

    python tools/bench_documents.py [MB of text, 50]

The texts are those of the tests, repeated and shuffled; every tokenizer counts each of them.
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

import docx

from breakeven.documents.measure import measure_documents
from breakeven.documents.tokenizers import count_tokens, tokenizer_table

CORPUS = Path(__file__).parent.parent / "tests" / "documents" / "corpus"
BYTES_PER_MB = 10**6
PARAGRAPHS = 100
SHARE_OF_DOCX = 0.05  # its reader is slower by far


def write(folder: Path, kind: str, size_bytes: float) -> None:
    """Documents of one kind with about so much text."""
    rng = random.Random(1)
    pieces = [piece for path in sorted(CORPUS.iterdir()) for piece in path.read_text(encoding="utf-8").split("\n\n")]
    written = number = 0
    while written < size_bytes:
        some = rng.choices(pieces, k=PARAGRAPHS)
        written += len("\n\n".join(some).encode())
        number += 1
        path = folder / f"{number}.{kind}"
        if kind == "docx":
            document = docx.Document()
            for piece in some:
                document.add_paragraph(piece)
            document.save(str(path))
        else:
            path.write_text("\n\n".join(f"<p>{piece}</p>" if kind == "html" else piece for piece in some), "utf-8")


def main(size_mb: float) -> None:
    """Print a line a kind of file and number of tokenizers."""
    for name in tokenizer_table().own:
        count_tokens(["loads its vocabulary"], name)
    cores = os.cpu_count() or 1
    for kind in ("txt", "html", "docx"):
        with tempfile.TemporaryDirectory() as name:
            write(Path(name), kind, size_mb * BYTES_PER_MB * (SHARE_OF_DOCX if kind == "docx" else 1))
            for models in ((), ("gpt-4o",)):
                began, began_cpu = time.perf_counter(), time.process_time()
                report = measure_documents(Path(name), candidates=models, workers=cores)
                wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
                size = report.text_bytes / BYTES_PER_MB
                what = f"{kind:5} {len(report.documents):6,} files, tokenizers: {len(report.tokens)}"
                print(f"{what} {size / wall_s:6.1f} MB/s on {cores} cores, {size / cpu_s:6.1f} MB/s of processor time")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 50.0)
