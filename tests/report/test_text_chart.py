import subprocess
import sys

from breakeven.report.text_chart import CHART_WIDTH, drawn


def test_a_chart_in_text_loads_no_compiler_even_where_one_is_installed():
    code = (
        "import sys; from breakeven.report.text_chart import drawn;"
        "drawn(xs=[[1, 2]], ys=[[1, 2]], height=3, lines=True);"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numba_is_there_again_for_those_who_need_it_after_a_chart():
    code = (
        "import importlib.util as u, sys; found = u.find_spec('numba') is not None;"
        "from breakeven.report.text_chart import drawn; drawn(xs=[[1]], ys=[[1]], height=3);"
        "sys.exit((u.find_spec('numba') is not None) != found)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_chart_keeps_to_its_width():
    lines = drawn(xs=[[1, 10, 100]], ys=[[1, 5, 3]], height=4, x_as_log=True).splitlines()
    assert max(len(line) for line in lines) <= CHART_WIDTH + 20
