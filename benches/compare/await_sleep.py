"""A codemod for LibCST, as somebody would write it for one mistake: `asyncio.sleep(…)` as a statement gets its `await`."""

import libcst
import libcst.matchers as m
from libcst.codemod import VisitorBasedCodemodCommand

SLEEP = m.Call(func=m.Attribute(value=m.Name("asyncio"), attr=m.Name("sleep")))


class AwaitSleep(VisitorBasedCodemodCommand):
    """Goes through the tree of one file; nothing but the spelling of the call decides."""

    DESCRIPTION = "Awaits asyncio.sleep"

    def __init__(self, context):
        super().__init__(context)
        # Whether each function around the place is a coroutine function.
        self.functions = []

    def visit_FunctionDef(self, node):
        self.functions.append(node.asynchronous is not None)

    def leave_FunctionDef(self, original_node, updated_node):
        self.functions.pop()
        return updated_node

    def leave_Expr(self, original_node, updated_node):
        if self.functions and self.functions[-1] and m.matches(original_node.value, SLEEP):
            return updated_node.with_changes(value=libcst.Await(updated_node.value))
        return updated_node
