"""Serving the pages: what is done beside it has ended before the command does."""

import threading

from breakeven.errors import SpecError
from breakeven.ui import serve
from breakeven.ui.site import Site


class SlowPlanner:
    """A planner that does not answer before it is let."""

    def __init__(self):
        self.asked, self.let, self.done = threading.Event(), threading.Event(), threading.Event()

    def answer(self, _):
        self.asked.set()
        assert self.let.wait(60)
        self.done.set()
        raise SpecError("nothing", expected="nothing", do="Nothing")


def test_pages_are_served_while_the_first_plan_is_made_and_end_after_it():
    planner = SlowPlanner()
    with serve.warmed(Site(planner)):
        assert planner.asked.wait(60)
        assert not planner.done.is_set()
        threading.Timer(0.2, planner.let.set).start()
    assert planner.done.is_set()
