"""The store's transactions: all of a block or nothing of it, also of a block within one."""

from contextlib import suppress

from emulator.books.store import Store


class Broken(Exception):
    """Raised in the middle of a block."""


def facts(store: Store) -> dict[str, int]:
    return {name: store.fact(name) for name in ("first", "second", "third")}


def test_a_block_that_ends_well_is_kept() -> None:
    store = Store()
    with store.transaction():
        store.set_fact("first", 1)
    assert facts(store) == {"first": 1, "second": 0, "third": 0}


def test_nothing_of_a_block_that_breaks_is_kept() -> None:
    store = Store()
    with suppress(Broken), store.transaction():
        store.set_fact("first", 1)
        raise Broken
    assert facts(store) == {"first": 0, "second": 0, "third": 0}


def test_a_part_that_breaks_takes_back_itself_alone_when_the_whole_goes_on() -> None:
    store = Store()
    with store.transaction():
        store.set_fact("first", 1)
        with suppress(Broken), store.transaction():
            store.set_fact("second", 2)
            raise Broken
        store.set_fact("third", 3)
    assert facts(store) == {"first": 1, "second": 0, "third": 3}


def test_a_whole_that_breaks_takes_its_parts_with_it() -> None:
    store = Store()
    with suppress(Broken), store.transaction():
        with store.transaction():
            store.set_fact("first", 1)
        raise Broken
    assert facts(store) == {"first": 0, "second": 0, "third": 0}


def test_forgetting_empties_every_table() -> None:
    store = Store()
    store.set_fact("first", 1)
    store.forget()
    assert facts(store) == {"first": 0, "second": 0, "third": 0}
