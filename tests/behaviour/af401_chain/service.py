import store
from store import load


class Service:
    def __init__(self, name):
        self.name = name

    def describe(self):
        # Once for each call, never twice.
        return [load(self.name), load(self.name)[::-1]], [row for row in store.rows(3)]


def summary(service: Service):
    words, rows = service.describe()
    return "-".join(words), sum(rows)
