"""``python -m tests.fuzz --minutes 10``: what the test suite tries a few hundred times, for as long as one likes."""

import argparse
import itertools

from tests.fuzz import running


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Bad calls, damaged files and many threads, until something fails."
    )
    parser.add_argument("--kind", choices=running.KINDS, help="only these; unless given all, one after the other")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each kind; 1 unless given")
    parser.add_argument("--count", type=int, help="so many cases of each kind, however long they take")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the next ones count on")
    parser.add_argument("--case", help="run this one, as it was printed; needs --kind")
    parser.add_argument("--accepted", action="store_true", help="print the cases that are accepted, too")
    given = parser.parse_args()
    if given.case is not None:
        if given.kind is None:
            parser.error("--case needs --kind")
        child = running.Child(given.kind, 60.0)
        outcome = child.run(given.case)
        child.close()
        print(f"{outcome.result} {outcome.where}\n{outcome.told}")
        raise SystemExit(outcome.failed)
    failed = False
    for name in [given.kind] if given.kind else running.KINDS:
        some = running.cases(name, given.seed)
        if given.count is not None:
            found = running.explore(name, itertools.islice(some, given.count))
        else:
            found = running.explore(name, some, given.minutes)
        if given.accepted:
            print(*found.accepted, sep="\n")
        print(found.report(name), end="\n\n", flush=True)
        failed |= bool(found.failures)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
