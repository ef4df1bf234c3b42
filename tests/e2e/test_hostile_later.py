"""A server that says what makes no sense, fails, or falls silent, while folders are opened, listed and read."""
import hostilecase
from hostilecase import STAGES, HostileTest, ahead, run_stage
from test_hostile import ENDS, GARBAGE

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module


class LaterGarbageTest(HostileTest):
    """As test_hostile, of the stages that follow."""

    def test_garbage_ahead_of_an_answer(self):
        self.run_cases({f"{name}, ahead of {stage}": lambda stage=stage, text=text: run_stage(stage, ahead(text))
                        for name, text in GARBAGE.items() for stage in STAGES[4:]})

    def test_answers_that_fail(self):
        self.run_cases({f"{name}, for {stage}": lambda stage=stage, hook=hook: run_stage(stage, hook)
                        for name, hook in ENDS.items() for stage in STAGES[4:]}, 16)
